/* What of a machine's memory a model takes that is used as a whole, or layer by layer, in bytes. */
import type { Term } from '../../base/gigabytes.js';
import type { Model } from '../../model/model.js';
import { Causal } from '../../objectives/causal/causal.js';
import type { Objective } from '../../objectives/objective.js';
import { traceScores } from '../../training/step-program.js';
import type { CutGraph } from '../../training/streamed/cut-graph.js';
import { traceForward } from '../../training/streamed/part-programs.js';
import { cacheNeeds } from '../decoder-program.js';
import { mostWindows } from '../text-windows.js';
import { RUN_TOKENS } from './decoder.js';
import { traceStepParts } from './decoder-parts.js';
import { partsOf, rowsOf } from './scorer.js';

/** What a model is loaded for; for both where left out. */
export interface Use {
  readonly evaluates?: boolean;
  /** The longest text that it writes or continues, in tokens; none where it writes none. */
  readonly writes?: number;
}

/** Node with ONNX Runtime and a tokenizer. */
const PROCESS = 200e6;
/** What a token of the vocabulary takes in a tokenizer: its text, its merge and their places in maps. */
const VOCABULARY = 800;
/** Freed memory between two layers goes back late. */
const WITHOUT_ARENA = 1.25;
/** The scores of a section of the head: themselves, what they are below the largest, its exponential, and those by which the likeliest is told. */
const SCORES = 4;
/** Of a token of an evaluation beside its state: ids, targets, costs. */
const TOKEN = 80;
const ENGINE = { target: 'cpu', views: true } as const;

/** Such sums are too small. */
export const SPARE = 1.15;

/** With something to spare. */
export const total = (terms: readonly Term[]): number =>
  Math.ceil(SPARE * terms.reduce((sum, [bytes]) => sum + bytes, 0));

const ofProcess = ({ dimensions }: Model): Term => [PROCESS + VOCABULARY * dimensions.vocabulary, 'for the program'];

/** Keys and values of a text. */
function cacheTerm(model: Model, tokens: number): Term {
  const { layers, context } = model.dimensions;
  const slots = Math.min(context, Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, tokens)))));
  // While one grows, both sizes of it are there.
  return [2 * 4 * cacheNeeds(model).row * slots * (layers + 1), `for the keys and values of ${slots} tokens`];
}

/** Tokens of the evaluation's usual run. */
export const runTokens = ({ dimensions: { context } }: Model): number => context * mostWindows(context);

/** The whole model in memory in float32: what it takes by itself. */
export const vectorTerms = (model: Model): Term[] => [[4 * model.layout.size, 'for the model'], ofProcess(model)];

/** The whole model in memory in float32, at work. */
export function wholeTerms(model: Model, { evaluates, writes }: Use): Term[] {
  const objective = new Causal(model) as unknown as Objective<never>;
  const terms = vectorTerms(model);
  if (evaluates) {
    const { peakBytes, onnx } = traceScores(
      objective,
      objective.scoring!,
      mostWindows(model.dimensions.context),
      ENGINE,
    );
    terms.push([WITHOUT_ARENA * peakBytes + 2 * onnx.length, 'for an evaluation']);
  }
  if (writes !== undefined) terms.push(cacheTerm(model, writes));
  return terms;
}

/** What layers that come from files take, and by how much more for each token that goes through them at once. */
export interface LayeredNeed {
  readonly terms: readonly Term[];
  /** Of an evaluation. */
  readonly bytesPerToken: number;
  /** What a pass over the model reads. */
  readonly passBytes: number;
}

/** @param bytesOf bytes of a parameter in its file */
export function layeredNeed(
  model: Model,
  cut: CutGraph,
  bytesOf: (name: string) => number,
  { evaluates, writes }: Use,
): LayeredNeed {
  const sizes = new Map(model.layout.entries.map(({ name, size }) => [name, size]));
  const stored = cut.sections.map(({ entries }) =>
    entries.reduce((sum, { name, size }) => sum + (bytesOf(name) * size) / sizes.get(name)!, 0),
  );
  const most = (bytes: readonly number[]) => Math.max(...bytes);
  const values = most(cut.sections.map(({ entries }) => entries.reduce((sum, { size }) => sum + 4 * size, 0)));
  const rows = rowsOf(cut);
  const parts = partsOf(cut);
  const terms: Term[] = [[most(stored) + values, 'for the layer that is worked on and the next one’s bytes']];
  const peaks: number[] = [];
  if (evaluates) {
    // Blocks of other kinds are of about the same size.
    const kinds = [parts[0]!, parts[1]!, parts.at(-2)!, parts.at(-1)!];
    peaks.push(...kinds.map((part) => traceForward(part, ENGINE).peakBytes));
    peaks.push(4 * SCORES * rows * cut.tokens);
    terms.push([4 * cut.tokens * cut.width, 'for a hidden state']);
  }
  if (writes !== undefined) {
    const tokens = Math.min(RUN_TOKENS, 2 ** Math.ceil(Math.log2(Math.max(1, writes))));
    const slots = Math.min(model.dimensions.context, 2 ** Math.ceil(Math.log2(Math.max(64, writes))));
    const programs = traceStepParts(model, cut, { tokens, slots, reach: model.dimensions.context }, 'cpu');
    peaks.push(...[programs[1]!, programs.at(-2)!].map(({ peakBytes }) => peakBytes));
    terms.push(cacheTerm(model, writes));
    terms.push([4 * cut.width * writes + 4 * model.dimensions.vocabulary, 'for hidden states and scores']);
  }
  terms.push([WITHOUT_ARENA * most(peaks), 'for what a layer computes'], ofProcess(model));
  const visited = [...parts.map(({ section }) => section), ...cut.head.sections];
  return {
    terms,
    bytesPerToken: 4 * cut.width + TOKEN,
    passBytes: visited.reduce((sum, section) => sum + stored[section]!, 0),
  };
}
