import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { UsageError } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { jsonText } from '../base/json.js';
import { spelledError } from '../base/spelling.js';
import { createEngine } from '../engine/node/create.js';
import {
  type LoadedModel,
  loadModel,
  type MergeAdapter,
  type OpenTextModel,
  withTextModel,
} from '../hub/load-model.js';
import { HASHES } from '../hub/model-files.js';
import { adapterPlace } from '../hub/open-model.js';
import { mergeAdapter } from '../training/merge-adapter.js';
import type { ExportOrder, ExportSource, ReadModel } from './format.js';
import { formatOf } from './formats.js';
import { checkExport, type ExportOptions, type ExportResult, type ResolvedExport } from './options.js';
import { MARK, placeFor, requireFree, writeInPlace } from './place.js';
import { WRITERS } from './writers.js';

/** Carries out `exportModel`. */
export async function carryOut(model: string, given: ExportOptions): Promise<ExportResult> {
  const options = checkExport(model, given);
  const { to, dtype, signal } = options;
  const { ending, adapter } = formatOf(to);
  const place = options.out ?? placeFor(model, to, ending);
  const file = ending !== undefined;
  await requireFree(place, file);
  const source = await openSource(model, options);
  if (adapter === 'alone' && source.adapter === undefined)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${model} is no adapter, which alone ${option('to', to)} writes: a run with ${option('adapter', 'lora')}, or a ` +
        `folder with adapter_config.json. For whole models take ${option('to', 'hf')}.`,
    );
  const write = await WRITERS[to]();
  let done = 0;
  const order = (path: string): ExportOrder => ({
    ...{ place: path, dtype, options, signal },
    notice: (message) => options.notice?.(message),
    told: (bytes, ofBytes) => {
      signal?.throwIfAborted();
      done += bytes;
      options.progress?.({ stage: 'writing', bytes: done, ofBytes });
    },
  });
  await writeInPlace(place, file, async (path) => {
    const hashes = await write(source, order(path));
    signal?.throwIfAborted();
    if (file) return;
    const sha256 = Object.fromEntries(Object.entries(hashes).sort(([a], [b]) => (a < b ? -1 : 1)));
    await writeFileSynced(join(path, HASHES), jsonText({ [MARK]: { to, dtype }, sha256 }));
  });
  return { path: place, to, dtype, ...(await filesOf(place, file)) };
}

async function openSource(model: string, { notice, progress }: ResolvedExport): Promise<ExportSource> {
  const adapter = await adapterPlace(model);
  const merge: MergeAdapter = async (...adapted) => mergeAdapter(await createEngine('cpu'), ...adapted);
  const load = async (): Promise<LoadedModel> => {
    progress?.({ stage: 'reading' });
    const loaded = await loadModel(model, merge);
    for (const message of loaded.notices) notice?.(message);
    return loaded;
  };
  const open: ExportSource['open'] = (work) =>
    withTextModel(
      model,
      async (opened) => {
        progress?.({ stage: 'reading' });
        for (const message of opened.notices) notice?.(message);
        const { model, tokenizerFiles, generationConfig } = opened;
        const texts = { tokenizerFiles, ...(generationConfig && { generationConfig }) };
        return work({ model, tokenizer: await opened.tokenizer(), ...texts, read: await readerOf(opened) });
      },
      merge,
    );
  return { model, adapter, load, open };
}

/** Reads one parameter after another into one place; of what is made of several models' all are there at once. */
async function readerOf({ model, parameter, parameters }: OpenTextModel): Promise<ReadModel['read']> {
  const { entries } = model.layout;
  if (!parameter) {
    const views = model.layout.views(await parameters());
    return async (name) => views[name]!;
  }
  const sizes = new Map(entries.map(({ name, size }) => [name, size]));
  const place = new Float32Array(Math.max(...sizes.values()));
  return async (name) => {
    const values = place.subarray(0, sizes.get(name)!);
    await parameter(name, values);
    return values;
  };
}

async function filesOf(place: string, file: boolean): Promise<Pick<ExportResult, 'bytes' | 'files'>> {
  if (file) return { files: [basename(place)], bytes: (await stat(place)).size };
  const entries = await readdir(place, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  let bytes = 0;
  for (const path of paths) bytes += (await stat(path)).size;
  return { files: paths.map((path) => relative(place, path)).sort(), bytes };
}
