/* Whether a model is used as a whole in memory, or layer by layer from its files. */
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { availableMemory } from '../../base/files/available-memory.js';
import { gigabytes, type Term } from '../../base/gigabytes.js';
import { spelledError } from '../../base/spelling.js';
import { type MergeAdapter, withTextModel } from '../../hub/load-model.js';
import type { Model } from '../../model/model.js';
import type { LoadOptions } from '../options.js';
import { type LayerFiles, openLayers } from './layer-files.js';
import { type LayeredNeed, layeredNeed, runTokens, SPARE, total, type Use, vectorTerms, wholeTerms } from './need.js';
import { cutOfModel } from './scorer.js';

/** A model that is used layer by layer. */
export interface Layers extends LayerFiles {
  /** Tokens of an evaluation that go through a layer in one visit. */
  readonly atOnce: number;
  /** What a pass over the model reads, as a written token does. */
  readonly passBytes: number;
}

/** How a model is used, and what the user should be told of that. */
export interface LoadedWay {
  readonly layers?: Layers;
  readonly notice?: string;
}

/** Tokens that go through a layer in one visit where there is memory for them: its bytes then cost little beside its products. */
const AT_ONCE = 8192;
/** Of a text whose length nobody has told. */
const TEXT = 2048;

/**
 * Decides how a model is used: as a whole in memory where it fits, else layer by layer from its files.
 *
 * @param use what it is loaded for
 * @throws MeanfieldError with the sums where `memory` is too little for either
 * @throws UsageError where `memory` is of another device
 */
export async function settleUse(
  run: string,
  { memory, precision, device }: Pick<LoadOptions, 'memory' | 'precision' | 'device'>,
  merge: MergeAdapter,
  given: Use,
): Promise<LoadedWay> {
  const { use, model, parts } = await withTextModel(
    run,
    async ({ model, parameter }) => ({ use: usesOf(model, given), model, parts: parameter !== undefined }),
    merge,
  );
  if (memory !== undefined && device !== 'cpu')
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('memory', memory)} is of this machine's memory, and on ${device} the model is in that of the device. Take ` +
        `${option('device', 'cpu')}, or leave ${option('memory')} out.`,
    );
  // In few bits a model takes a quarter, and encoders are small.
  if (device !== 'cpu' || model.architecture.sees !== 'past' || precision !== 'fp32') {
    if (memory !== undefined) requireLayered(model, precision);
    return {};
  }
  const free = availableMemory() + process.memoryUsage.rss();
  const limit = Math.min(free, memory === undefined ? free : 1e9 * memory);
  const alone = total(vectorTerms(model));
  if (memory === undefined && alone <= limit) return {};
  const whole = alone <= limit ? wholeTerms(model, use) : undefined;
  const within =
    memory === undefined
      ? `Of memory ${gigabytes(free, 2)} are free`
      : `Within ${memory} GB of memory${limit < 1e9 * memory ? ', of which less is free' : ''}`;
  if (whole && total(whole) <= limit)
    return { notice: `${within}: as a whole in memory, which takes about ${told(whole)}.` };
  const name = whole ? `about ${gigabytes(total(whole), 2)}` : `more than ${gigabytes(alone, 2)}`;
  const unfit = (why: string) =>
    spelledError(
      MeanfieldError,
      ({ option }) => `${run} does not fit into ${option('memory', memory)}: as a whole it takes ${name}${why}`,
    );
  const found = await layersOf(run, model, parts, use);
  if ('why' in found) {
    if (memory === undefined) return {};
    throw unfit(`. Layer by layer it cannot be used: ${found.why}`);
  }
  const { files, need } = found;
  const { terms, bytesPerToken, passBytes } = need;
  const room = Math.floor((limit / SPARE - sumOf(terms)) / bytesPerToken);
  const atOnce = Math.max(runTokens(model), Math.min(AT_ONCE, room));
  const states: Term = [bytesPerToken * atOnce, `for the states of ${grouped(atOnce)} tokens`];
  const all = use.evaluates ? [...terms, states] : terms;
  if (memory !== undefined && total(all) > limit) {
    await files.tensors.close();
    throw unfit(`, and layer by layer from its files about ${told(all)}.`);
  }
  const costs = [
    ...(use.evaluates ? [`${gigabytes(passBytes)} are read for every ${grouped(atOnce)} tokens of text.`] : []),
    ...(use.writes === undefined ? [] : [`Each token that is written reads ${gigabytes(passBytes)}.`]),
  ];
  const notice =
    `${within}: layer by layer from the model's files, since as a whole it takes ${name}. It takes about ${told(all)}. ` +
    costs.join(' ');
  return { layers: { ...files, atOnce, passBytes }, notice };
}

/** A model's files, and what its layers take; or why it has none that come one by one. */
async function layersOf(
  run: string,
  model: Model,
  parts: boolean,
  use: Use,
): Promise<{ readonly files: LayerFiles; readonly need: LayeredNeed } | { readonly why: string }> {
  if (!parts) return { why: `${run} is an adapter, which is joined with its base in memory: export it.` };
  let files: LayerFiles | undefined;
  try {
    const cut = cutOfModel(model);
    files = await openLayers(run);
    return { files, need: layeredNeed(model, cut, files.bytesOf, use) };
  } catch (error) {
    await files?.tensors.close();
    if (error instanceof MeanfieldError) return { why: error.message };
    throw error;
  }
}

/** Other models and precisions have no other way. */
function requireLayered({ architecture }: Model, precision: string | undefined): never {
  throw spelledError(UsageError, ({ option }) =>
    architecture.sees === 'past'
      ? `${option('memory')} is for models in single precision, whose layers are read from their files: leave ` +
        `${option('precision', precision)} or ${option('memory')} out.`
      : `A ${architecture.name} model cannot be used layer by layer, which ${option('memory')} is for: only models that ` +
        `continue texts can, such as gpt2, llama and qwen3. Leave ${option('memory')} out.`,
  );
}

function usesOf({ dimensions }: Model, { evaluates, writes }: Use): Use {
  const text = Math.min(dimensions.context, writes ?? TEXT);
  return evaluates === undefined && writes === undefined
    ? { evaluates: true, writes: text }
    : { ...(evaluates && { evaluates }), ...(writes !== undefined && { writes: text }) };
}

const sumOf = (terms: readonly Term[]): number => terms.reduce((sum, [bytes]) => sum + bytes, 0);
const grouped = (count: number): string => count.toLocaleString('en-US');

/** The sum, and each part of it. */
function told(terms: readonly Term[]): string {
  const spare = total(terms) - sumOf(terms);
  const parts = terms.map(([bytes, what]) => `${gigabytes(bytes, 2)} ${what}`);
  return `${gigabytes(total(terms), 2)} (${parts.join(', ')}, and ${gigabytes(spare, 2)} to spare)`;
}
