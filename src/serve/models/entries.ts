import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UsageError } from '../../base/errors.js';
import type { JsonObject } from '../../base/json.js';
import { spelledError } from '../../base/spelling.js';
import { findModelFolder } from '../../hub/find-model.js';
import { isGguf } from '../../hub/gguf/gguf-file.js';
import { parseHubName } from '../../hub/hub-cache.js';
import { adapterBaseOf } from '../../hub/load-model.js';
import { adapterPlace, placeOf } from '../../hub/open-model.js';
import { transformerFolder } from '../../hub/sentence-folder.js';
import { openServedModel, type ServeModelOptions } from '../../inference/completions/served-model.js';
import type { WeightPrecision } from '../../inference/precision.js';
import { Model } from '../../model/model.js';
import type { ShelfEntry } from './shelf.js';

/** How models are opened. */
export interface EntryOptions extends Pick<ServeModelOptions, 'precision' | 'threads' | 'maxQueue' | 'timeLimit'> {
  /** `name=folder`, or `name=folder@MODEL`. */
  readonly adapters?: readonly string[] | undefined;
  readonly follow?: boolean | undefined;
  /** Hears what should be known of a model's files. */
  readonly notice?: (message: string) => void;
}

/**
 * Models as a shelf has them.
 *
 * @param models places, or `name=place`
 * @throws UsageError for names that are taken twice, and adapters of no model
 */
export function entriesOf(
  models: readonly string[],
  { adapters = [], follow, notice, ...options }: EntryOptions,
): ShelfEntry[] {
  const named = models.map((model) => {
    const at = model.indexOf('=');
    return at > 0 ? { name: model.slice(0, at), place: model.slice(at + 1) } : { name: nameOf(model), place: model };
  });
  const entry = (name: string, place: string, adapter?: string, parent?: string): ShelfEntry => ({
    name,
    ...(parent !== undefined && { parent }),
    open: async () => openServedModel(place, { ...options, name, adapter }),
    memory: async () =>
      (await memoryOf(place, options.precision)) + (adapter === undefined ? 0 : await bytesOf(adapter)),
    ...(follow === true && {
      version: async () => `${await versionOf(place)} ${adapter === undefined ? '' : await versionOf(adapter)}`,
    }),
  });
  const entries = [
    ...named.map(({ name, place }) => entry(name, place)),
    ...adapters.map((adapter) => {
      const { name, folder, base } = adapterOf(adapter, named);
      return entry(name, base.place, folder, base.name);
    }),
  ];
  const names = entries.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError(`Two models would be called ${twice}. Name them: NAME=PLACE, such as first=runs/a/model.`);
  return entries;
}

interface Named {
  readonly name: string;
  readonly place: string;
}

function adapterOf(adapter: string, models: readonly Named[]): { name: string; folder: string; base: Named } {
  const wrong = (what: string) =>
    spelledError(
      UsageError,
      ({ option }) =>
        `${option('adapter')}: ${what}. Expected name=folder, or name=folder@MODEL where several are served. Got ${adapter}.`,
    );
  const at = adapter.indexOf('=');
  if (at < 1 || at === adapter.length - 1) throw wrong('a name is missing');
  const [name, place] = [adapter.slice(0, at), adapter.slice(at + 1)];
  const end = place.lastIndexOf('@');
  const base = end > 0 ? models.find((model) => model.name === place.slice(end + 1)) : undefined;
  if (base !== undefined) return { name, folder: place.slice(0, end), base };
  if (models.length > 1)
    throw wrong(`it does not say which model it stands beside: ${models.map((model) => model.name).join(', ')}`);
  return { name, folder: place, base: models[0]! };
}

/** `book` of `runs/book` and of `book.gguf`; a name of the hub is its own. */
export function nameOf(place: string): string {
  if (parseHubName(place) !== undefined && !/^(?:runs|models)\//.test(place)) return place;
  return basename(place.replace(/[\\/]+$/, '')).replace(/\.gguf$/i, '') || place;
}

/** Bytes that the weights of a number of another size take in memory, by the bytes that they have in a file. */
const PER_PARAMETER: Readonly<Record<WeightPrecision, number>> = { fp32: 4, int8: 1.1, int4: 0.65 };

/** The memory of a model, about: its weights in a precision, and as much again for what is computed and kept. */
async function memoryOf(model: string, precision: WeightPrecision = 'fp32'): Promise<number> {
  const place = await placeOf(model);
  const base = (await adapterPlace(model)) === undefined ? undefined : await adapterBaseOf(model);
  if (base !== undefined) return (await memoryOf(base, precision)) + (await bytesOf(model));
  const bytes = await bytesOf(model);
  if (await isGguf(place)) return (bytes / 0.75) * PER_PARAMETER[precision] * 1.5;
  const config = JSON.parse(await readFile(join(await folderIn(place), 'config.json'), 'utf8'));
  return (bytes / elementBytes(config)) * PER_PARAMETER[writes(config) ? precision : 'fp32'] * 1.5;
}

/** Whether a configuration is of a model that continues texts: of others, half or more is a table of tokens that stays in single precision. */
function writes(config: JsonObject): boolean {
  try {
    return Model.fromConfig(config).architecture.sees !== 'all';
  } catch {
    // Whoever opens it is told.
    return true;
  }
}

/** The folder with the weights, which that of sentence-transformers may have in one of its own. */
const folderIn = async (place: string): Promise<string> => findModelFolder(await transformerFolder(place));

function elementBytes(config: JsonObject): number {
  return /16/.test(String(config.torch_dtype ?? config.dtype ?? 'float32')) ? 2 : 4;
}

/** The files of weights at a place. */
async function weightFiles(model: string): Promise<readonly string[]> {
  const place = await placeOf(model);
  if (await isGguf(place)) return [place];
  const folder = (await adapterPlace(model)) ?? (await folderIn(place));
  return (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).map((name) => join(folder, name));
}

async function bytesOf(model: string): Promise<number> {
  const sizes = await Promise.all((await weightFiles(model)).map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What tells one state of a model's weights from another. */
async function versionOf(model: string): Promise<string> {
  const stats = await Promise.all((await weightFiles(model)).map((file) => stat(file)));
  return stats.map(({ ino, size, mtimeMs }) => `${ino}:${size}:${mtimeMs}`).join();
}
