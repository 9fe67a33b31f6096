import type { Tokenizer } from '../../data/index.js';
import type { Engine } from '../../engine/engine.js';
import { createEngine } from '../../engine/node/create.js';
import { type LoadedModel, loadModel, type MergeAdapter } from '../../hub/load-model.js';
import { seq2seqOf } from '../../objectives/create.js';
import { mergeAdapter } from '../../training/merge-adapter.js';
import { Classifier } from '../classifier.js';
import { Embedder, type EmbedderOptions } from '../embedder.js';
import { fusedNeeds } from '../fused-program.js';
import { slotsFor } from '../row-cache.js';
import { createDecoder, fusedSequences, isFused } from '../sequence-decoder.js';
import { specialTokens } from '../special-tokens.js';
import { Completions } from './completions.js';
import { Grammars } from './grammar/grammars.js';
import type { OpenAnswer, OpenRequest } from './messages.js';
import { OneSequence } from './one-sequence.js';
import { ServedWeights } from './served-weights.js';

/** A model that is open in this thread, and all that it can be asked. */
export interface OpenedModel {
  readonly answer: OpenAnswer;
  readonly tokenizer: Tokenizer;
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly completions: Completions | undefined;
  readonly embedder: Embedder | undefined;
  readonly classifier: Classifier | undefined;
  /** Makes what a first request of another kind would wait for. @throws UsageError where there is no such */
  prepare(): void;
  /** Keeps what took long to make for the next start. */
  keep(): Promise<void>;
  close(): Promise<void>;
}

/** Bytes of the cache of what runs, where it is not said how many tokens that has; and the share of it that is kept beside. */
const CACHE_BYTES = 2 ** 31;
const KEPT_SHARE = 0.25;
/** Milliseconds of a piece of a prompt. Between two tokens of a text lies one of these and a step: less than 200 together. */
const PIECE_MS = 100;

/** Reads and prepares a model. Errors as `load`'s. */
export async function openInThread(request: OpenRequest): Promise<OpenedModel> {
  const { place, adapter, precision, threads } = request;
  const engine = await createEngine('auto');
  const merge: MergeAdapter = (...adapted) => mergeAdapter(engine, ...adapted);
  const weights = new ServedWeights(precision, engine, threads);
  const loaded = await loadModel(adapter ?? place, merge, adapter === undefined ? undefined : place, (opened) =>
    weights.read(opened),
  );
  const { model, tokenizer, tokenizerFiles, notices } = loaded;
  const { vocabulary, context } = model.dimensions;
  const writes = model.architecture.sees !== 'all';
  const codes = writes ? undefined : await weights.encoder(loaded);
  const parameters = codes ? new Float32Array(0) : loaded.parameters;
  const work = { ...loaded, parameters, codes, engine, compile: { threads } };
  const completing = writes ? completionsOf(work, weights, request) : undefined;
  await completing?.ready();
  const reads = !writes || loaded.sentence !== undefined;
  const labelled = model.taskHead?.task === 'sequence';
  const embedder = reads && (codes || weights.precision === 'fp32') && !labelled ? new Embedder(work) : undefined;
  const classifier = labelled ? new Classifier(work) : undefined;
  const tasks: OpenAnswer['tasks'] = [
    ...(completing ? (['complete'] as const) : []),
    ...(embedder ? (['embed'] as const) : []),
    ...(classifier ? (['classify'] as const) : []),
    // A model of one label tells how well a pair belongs together.
    ...(classifier?.labels.length === 1 && tokenizer.aroundPair ? (['rerank'] as const) : []),
  ];
  return {
    answer: {
      context: completing?.context ?? context,
      vocabulary,
      tasks,
      notices: [...(weights.notice === undefined ? [] : [weights.notice]), ...notices],
    },
    ...{ tokenizer, tokenizerFiles, embedder, classifier },
    completions: completing?.completions,
    prepare: () => completing?.prepare(),
    keep: () => weights.keep(),
    close: async () => {
      await completing?.dispose();
      await embedder?.dispose();
      await classifier?.dispose();
    },
  };
}

type Work = LoadedModel & Pick<EmbedderOptions, 'engine' | 'compile'>;

function completionsOf(work: Work, weights: ServedWeights, request: OpenRequest) {
  const { model, tokenizer, generationConfig, engine } = work;
  const { running, waiting, timeLimit, keptTokens: kept, cacheTokens } = request;
  const config = model.config as Record<string, unknown>;
  const { context } = model.dimensions;
  const many = isFused(engine, model) ? sequencesOf(work, engine, weights, cacheTokens) : undefined;
  const one = many ? undefined : createDecoder(work);
  const sequences = many?.sequences ?? new OneSequence(one!);
  const marks = model.architecture.encoder && seq2seqOf(tokenizer, { ...config, ...generationConfig });
  const { slots = Number.POSITIVE_INFINITY } = many ?? {};
  const { end } = specialTokens(tokenizer, model.dimensions.vocabulary, config, generationConfig);
  const vocabulary = Math.min(model.dimensions.vocabulary, tokenizer.vocabularySize);
  const grammars = new Grammars(tokenizer, { size: vocabulary, end });
  const completions = new Completions({
    ...{ sequences, tokenizer, end, timeLimit, vocabulary },
    source: marks && { ...marks, context, read: (ids) => one!.read!(ids) },
    mask: (constraint) => grammars.mask(constraint),
    limits: {
      running: many ? running : 1,
      waiting,
      fits: (count, longest) => count * slotsFor(longest, sequences.context) <= slots,
      pieceMs: PIECE_MS,
    },
    keptTokens: many ? (kept ?? Math.floor(slots * KEPT_SHARE)) : 0,
  });
  return {
    completions,
    context: Math.min(sequences.context, marks ? context : Number.POSITIVE_INFINITY),
    prepare: () => grammars.prepare(),
    ready: async () => many?.sequences.ready(),
    dispose: () => sequences.dispose(),
  };
}

function sequencesOf(
  { model, parameters, compile }: Work,
  engine: Engine,
  served: ServedWeights,
  cacheTokens: number | undefined,
) {
  const weights = served.of(model, parameters);
  const bytes = fusedNeeds(model).heads.reduce((sum, { heads, width }) => sum + 8 * heads * width, 0);
  // One sequence of any length must have room.
  const slots = Math.max(model.reach.written, cacheTokens ?? Math.floor(CACHE_BYTES / bytes));
  return { sequences: fusedSequences({ model, weights, engine, slots, compile: compile ?? {} }), slots };
}
