import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';
import { shapeOf } from '../base/option-schema.js';
import type { OptionsOf, ParsedOf } from '../base/option-table.js';
import { CODE, type Spelling, spelledError } from '../base/spelling.js';
import type { TrainedParts } from '../model/adapter.js';
import { ENCODER_DECODERS, ENCODERS } from '../model/family-names.js';
import { findPreset } from '../model/presets.js';
import type { TokenRange } from '../model/token-rows.js';
import { type MarkedTokenizer, type ObjectiveConfig, seq2seqOf } from '../objectives/create.js';
import type { ObjectiveName } from '../objectives/names.js';
import type { OptimizerName } from '../training/optimizers.js';
import { checkGivenText, type GivenText } from './given-text.js';
import { OWN_OPTIONS, TRAIN_OPTIONS } from './option-table.js';

/**
 * Everything that `train` takes, under the names of the command line in camel case. What is left out is chosen.
 *
 * @category Training
 */
export interface TrainOptions extends OptionsOf<typeof TRAIN_OPTIONS> {
  /** Files and folders of text, JSONL or Parquet. A new run needs these or `text`; a resumed one neither. */
  corpus?: readonly string[];
  /** Text from code, instead of a corpus: one text, or several, each a document of its own. */
  text?: GivenText;
  /** Ends the run as `stop` does: after the round in progress it is saved, and can be resumed. */
  signal?: AbortSignal;
}

/**
 * Everything that `train` takes for a model of one's own.
 *
 * @category A model of one's own
 */
export interface OwnTrainOptions extends OptionsOf<typeof OWN_OPTIONS> {
  /**
   * The file that exports `architecture`, `objective` and `samples`, as `new URL('./model.js', import.meta.url)`. Each
   * replica imports it in its own thread, since functions cannot be sent to one.
   */
  model: URL;
  /** Ends the run as `stop` does: after the round in progress it is saved, and can be resumed. */
  signal?: AbortSignal;
}

const schema = z.strictObject({ corpus: z.array(z.string().min(1)).min(1), ...shapeOf(TRAIN_OPTIONS) });

const ownSchema = z.strictObject(shapeOf(OWN_OPTIONS));

/** Options with their defaults. */
export interface ParsedTrainOptions extends ParsedOf<typeof TRAIN_OPTIONS> {
  /** Empty for text from code, until its run has a folder. */
  corpus: string[];
  /** The URL of the module of a model of one's own, for which options of text are missing. */
  module?: string;
}

/** @throws UsageError for a signal that is none */
export function checkSignal(options: { readonly signal?: unknown } | undefined): void {
  const signal = options?.signal;
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new UsageError(
    `Expected \`signal\` to be an AbortSignal, such as that of an AbortController; got ${typeof signal}.`,
  );
}

/** Whether a model of one's own is to be trained. */
export function isOwn(options: TrainOptions | OwnTrainOptions): options is OwnTrainOptions {
  return (options as OwnTrainOptions | undefined)?.model instanceof URL;
}

/**
 * Checks options and fills in defaults.
 *
 * @throws UsageError naming every option that is wrong, and what is allowed
 */
export function parseTrainOptions(options: TrainOptions | OwnTrainOptions): ParsedTrainOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError(
      `Options must be an object, such as { corpus: ['book.txt'] }; got ${JSON.stringify(options)}.`,
    );
  }
  if (isOwn(options)) return parseOwn(options);
  const { text, signal: _signal, ...others } = options;
  if (text !== undefined) {
    checkGivenText(text);
    if (others.corpus !== undefined) throw new UsageError('Give one of `corpus` and `text`, not both.');
  } else if (others.corpus === undefined) {
    throw new UsageError(
      'Expected `corpus`, a list of files and folders of text, or `text`, a string or strings; got neither. A run is ' +
        'resumed without them by `resume: true`.',
    );
  }
  const few = others.from !== undefined && others.objective === 'chat' ? FEW_WINDOWS : undefined;
  const given = {
    ...others,
    batchSize: others.batchSize ?? few,
    ...(text !== undefined && { corpus: [FROM_CODE] }),
  };
  const result = schema.safeParse(given, { reportInput: true });
  if (!result.success) {
    const { error } = result;
    throw spelledError(
      UsageError,
      (spelling) => `Cannot train with these options: ${optionIssues(error, spelling)}.${spelling.help('train')}`,
    );
  }
  const parsed = result.data as unknown as ParsedTrainOptions;
  return consistent(text === undefined ? parsed : { ...parsed, corpus: [] });
}

/** Windows of a step where a model that exists learns conversations: each window holds many of them. */
const FEW_WINDOWS = 2;

/** Stands for a corpus where the text comes from code. */
const FROM_CODE = 'text';

function parseOwn({ model, signal: _signal, ...options }: OwnTrainOptions): ParsedTrainOptions {
  if (model.protocol !== 'file:')
    throw new UsageError(
      `Expected \`model\` to be the URL of a file, got ${model.href.slice(0, 100)}. Give it as ` +
        "new URL('./model.js', import.meta.url).",
    );
  const ofText = Object.keys(options).filter(
    (name) =>
      name === 'corpus' || name === 'text' || (Object.hasOwn(TRAIN_OPTIONS, name) && !Object.hasOwn(OWN_OPTIONS, name)),
  );
  if (ofText.length > 0)
    throw new UsageError(
      `${ofText.map((name) => `\`${name}\``).join(', ')}: of models of text alone. Leave out what a model of one's own ` +
        `decides itself; allowed: ${Object.keys(OWN_OPTIONS).join(', ')}.`,
    );
  const result = ownSchema.safeParse(options, { reportInput: true });
  if (!result.success) throw new UsageError(`Cannot train with these options: ${optionIssues(result.error, CODE)}.`);
  return consistent({ ...result.data, corpus: [], module: model.href } as unknown as ParsedTrainOptions);
}

/** @throws UsageError for options that do not go together, of a model of one's own too */
function consistent(parsed: ParsedTrainOptions): ParsedTrainOptions {
  checkZero(parsed);
  checkShared(parsed);
  const limits = LIMITS.filter((name) => parsed[name] !== undefined);
  if (limits.length > 1) {
    throw spelledError(UsageError, ({ option }) => {
      const [steps, tokens, minutes] = LIMITS.map((name) => option(name));
      return `Give one of ${steps}, ${tokens} and ${minutes}, not ${limits.map((name) => option(name)).join(' and ')}.`;
    });
  }
  return parsed;
}

function throwIf(wrong: boolean, say: (spelling: Spelling) => string): void {
  if (wrong) throw spelledError(UsageError, say);
}

/** Of these a run has one at most. */
export const LIMITS = ['steps', 'tokens', 'minutes'] as const;

/** What is learned: as it was named, or what the model can. */
export function objectiveName(o: ParsedTrainOptions): ObjectiveName {
  if (o.objective !== undefined || o.model === undefined) return o.objective ?? 'causal';
  if (ENCODER_DECODERS.includes(o.model)) return 'seq2seq';
  return ENCODERS.includes(o.model) ? 'masked' : 'causal';
}

/** What is learned, with its settings. @param config of the model, where there is one */
export function objectiveOf(o: ParsedTrainOptions, tokenizer: MarkedTokenizer, config?: object): ObjectiveConfig {
  const { mask } = tokenizer;
  const name = objectiveName(o);
  if (name === 'seq2seq') return seq2seqOf(tokenizer, config);
  if (name === 'chat') return { name, packed: !o.unpacked };
  if (name === 'preference')
    return { name, beta: o.beta, ...(o.labelSmoothing > 0 && { smoothing: o.labelSmoothing }) };
  if (name !== 'masked') return { name };
  if (mask === undefined) throw new Error('the tokenizer has no mask token');
  return { name, rate: o.maskRate, mask };
}

/** A model's sizes but for its vocabulary, which the tokenizer decides. */
export interface ModelSizes {
  readonly family: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly context: number;
}

/** The family that learns what others cannot, unless another is named. */
const USUAL: Readonly<Partial<Record<ObjectiveName, string>>> = { masked: 'bert', seq2seq: 't5' };

/** The preset (unless named `micro`), with the sizes that were given in place of its own. */
export function modelShape(o: ParsedTrainOptions): ModelSizes {
  const preset = findPreset(o.preset ?? 'micro');
  const heads = o.heads ?? preset.heads;
  return {
    family: o.model ?? USUAL[o.objective ?? 'causal'] ?? preset.family,
    layers: o.layers ?? preset.layers,
    width: o.width ?? preset.width,
    heads,
    keyValueHeads: o.kvHeads ?? (o.heads ? heads : preset.keyValueHeads),
    context: o.context ?? preset.context,
  };
}

/** @throws UsageError where options of added tokens have nothing to be added to, or are not given together */
export function checkAddedTokens({ from, addTokens, plainTokens }: ParsedTrainOptions): void {
  if (addTokens === undefined ? !plainTokens : from !== undefined && addTokens.length > 0) return;
  throw spelledError(UsageError, ({ option }) => {
    if (addTokens === undefined)
      return `${option('plainTokens')} says what ${option('addTokens')} adds: give that too.`;
    if (addTokens.length === 0) return `${option('addTokens')} names no token. Name one at least, or leave it out.`;
    return `${option('addTokens')} adds to the tokenizer of a model that exists: name it with ${option('from')}.`;
  });
}

/**
 * @throws UsageError where a model that exists is to be trained in 8 bits: a few of its activations are so large that one
 * scale leaves nothing of the others (SmolLM2-135M: loss 4.34 in float32, 4.78 in codes, the gradient off by its own size);
 * or where replicas average gradients in fp16, of which one whose scale was too large would spoil the others' step
 */
export function checkPrecision({
  from,
  precision,
  syncEvery,
}: Pick<ParsedTrainOptions, 'from' | 'precision' | 'syncEvery'>): void {
  if (precision === 'int8' && from !== undefined)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('precision', precision)} is for new models: one that exists has activations that 8 bits do not hold. Leave ` +
        `${option('precision')} or ${option('from')} out.`,
    );
  if (precision === 'fp16' && syncEvery === 1)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('precision', precision)} leaves out steps whose gradient is too large for it, which replicas that average ` +
        `every step's gradient cannot do alone. Take ${option('syncEvery')} of 2 or more.`,
    );
}

/** @throws UsageError where no joint step would be made whose moments could be shared out */
function checkZero({
  zero,
  syncEvery = 1,
  precision,
  momentsPrecision,
}: Pick<ParsedTrainOptions, 'zero' | 'syncEvery' | 'momentsPrecision'> &
  Partial<Pick<ParsedTrainOptions, 'precision'>>): void {
  if (zero === 0) return;
  throwIf(
    syncEvery !== 1,
    ({ option }) =>
      `${option('zero', zero)} shares the optimiser's moments out between replicas that make one joint step, and ` +
      `${option('syncEvery', syncEvery)} has each make steps of its own. Leave one of them out.`,
  );
  throwIf(
    momentsPrecision === 'int8',
    ({ option }) =>
      `${option('zero', zero)} cuts moments where replicas share them out, and ${option('momentsPrecision', 'int8')} keeps them in ` +
      `blocks, which other cuts would not fit. Take ${option('momentsPrecision', 'bf16')}, or leave one of them out.`,
  );
  throwIf(
    precision === 'fp16',
    ({ option }) =>
      `${option('zero', zero)} is of replicas on the CPU, which has no ${option('precision', 'fp16')}. Leave one of them out.`,
  );
}

/** @throws UsageError where replicas would average moments that are kept in few bits */
export function checkMoments({
  momentsPrecision,
  moments,
  replicas,
  syncEvery,
  zero,
}: Pick<ParsedTrainOptions, 'momentsPrecision' | 'moments' | 'replicas' | 'syncEvery' | 'zero'>): void {
  if (momentsPrecision === 'fp32' || moments === 'keep' || replicas === 1 || syncEvery === 1 || zero > 0) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('momentsPrecision', momentsPrecision)} keeps the moments of each replica where they are, and replicas that ` +
      `average every few steps average moments too. Take ${option('moments', 'keep')}, ${option('syncEvery', 1)} or ` +
      `${option('replicas', 1)}.`,
  );
}

/**
 * The parts of a model that stay as they are, or what is trained beside all of it.
 *
 * @param tokens that were added to the model that it starts from
 */
export function partsOf(o: ParsedTrainOptions, tokens?: TokenRange): TrainedParts {
  const { rank, alpha = 2 * rank, rslora, targets, modulesToSave, baseDtype } = o;
  if (!o.adapter && baseDtype !== undefined && baseDtype !== 'fp32')
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('baseDtype', baseDtype)} is of a model that stays as it is: train beside it, with ${option('adapter', 'lora')}.`,
    );
  if (!o.adapter) return o.freeze ? { freeze: o.freeze } : {};
  if (o.from === undefined || o.freeze)
    throw spelledError(UsageError, ({ option }) =>
      o.freeze
        ? `${option('adapter', `${o.adapter}`)} leaves the whole model as it is: leave ${option('freeze')} out.`
        : `${option('adapter', `${o.adapter}`)} is trained beside a model that exists: name it with ${option('from')}.`,
    );
  const adapter = {
    rank,
    alpha,
    ...(rslora && { rankStabilized: true }),
    ...(targets && { targets }),
    ...(modulesToSave && { modulesToSave }),
    ...(tokens && { tokens }),
  };
  return { adapter, ...(baseDtype !== undefined && baseDtype !== 'fp32' && { baseDtype }) };
}

/** Vocabulary to aim at when a BPE tokenizer is trained; undefined where the size of the text decides. */
export function vocabularyGoal(o: ParsedTrainOptions): number | undefined {
  return o.tokenizer === 'bpe' ? (o.vocab ?? findPreset(o.preset ?? 'micro').vocabulary) : undefined;
}

/** The peak learning rate for a model of so many parameters, where none was given. */
export function learningRateOf(
  { lr, from, adapter, objective }: Pick<ParsedTrainOptions, 'lr' | 'from' | 'adapter' | 'objective'>,
  parameters: number,
): number {
  const kind = objective === 'preference' ? PREFERRING : 1;
  const share = from === undefined ? 1 : kind * (adapter ? ADAPTING : FINE_TUNING);
  return lr ?? 3e-3 * Math.min(1, Math.cbrt(1e6 / parameters)) * share;
}

/**
 * What is left of the rate for a model that exists: steps as large as a new one's would first undo what it knows. 5.8e-5
 * for SmolLM2 of 135 million, where fine-tuning is published with 1e-5 to 1e-4 (BERT, arXiv 1810.04805 §A.3; SFT of TRL).
 */
const FINE_TUNING = 0.1;
/** And beside it for an adapter, which begins at nothing: 2e-4 is published for LoRA (arXiv 2106.09685, table 11). */
const ADAPTING = 0.5;

/** Of either, for preferences: 5e-7 is published for DPO (Zephyr, arXiv 2310.16944 §4.3), 5e-6 with LoRA, for small models more. */
const PREFERRING = 0.05;

/** Whether a model is trained layer by layer, with some of it on disk. */
export function isOffloaded({ offload }: Pick<ParsedTrainOptions, 'offload'>): boolean {
  return (offload ?? 'none') !== 'none';
}

/** Whether an adapter is trained beside a model whose layers come from its own files. */
export function streamsBase({ offload, adapter }: Pick<ParsedTrainOptions, 'offload' | 'adapter'>): boolean {
  return offload === 'all' && adapter !== undefined;
}

/** Whether replicas share out more than moments (ZeRO, stages 2 and 3), which then go through the model layer by layer. */
export function sharesGradients({ zero }: Pick<ParsedTrainOptions, 'zero'>): boolean {
  return zero > 1;
}

/** Whether there are several that do. @param chosen what `run.json` has of it */
export function isSharded(
  o: Pick<ParsedTrainOptions, 'zero' | 'replicas'>,
  { replicas = o.replicas }: { readonly replicas?: ParsedTrainOptions['replicas'] | undefined },
): boolean {
  return sharesGradients(o) && replicas !== 1;
}

type Refusals = readonly (readonly [keyof ParsedTrainOptions, (o: ParsedTrainOptions) => boolean, string])[];

/** What is of models whose step is one graph, and why a step layer by layer has it not. */
const OF_WHOLE: Refusals = [
  ['optimizer', ({ optimizer }) => optimizer === 'muon', 'it has AdamW alone, which it takes where none is named'],
  ['device', ({ device }) => device !== 'auto' && device !== 'cpu', 'it is of the CPU'],
  ['dropout', ({ dropout = 0 }) => dropout > 0, 'it drops nothing'],
  ['precision', ({ precision }) => precision !== 'fp32', 'it computes in fp32'],
  ['layerLrDecay', ({ layerLrDecay = 1 }) => layerLrDecay !== 1, 'all learn at one rate'],
  ['lrScale', ({ lrScale = [] }) => lrScale.length > 0, 'all learn at one rate'],
  ['freeze', ({ freeze = [] }) => freeze.length > 0, 'all parameters are trained'],
];

/** Beside `offload`, what is of models that are in memory as a whole. */
const OF_MEMORY: Refusals = [
  ['replicas', ({ replicas }) => replicas !== 'auto' && replicas > 1, 'it is of one replica'],
  ['zero', ({ zero }) => zero > 0, 'it is of one replica'],
  ['adapter', (o) => o.adapter !== undefined && !streamsBase(o), 'beside an adapter, all of the base is on disk: all'],
  ['baseDtype', ({ baseDtype = 'fp32' }) => baseDtype !== 'fp32', 'the base is read as its files have it'],
  ['modulesToSave', ({ modulesToSave }) => modulesToSave !== undefined, 'the base is not in memory'],
  ['addTokens', (o) => o.addTokens !== undefined && o.adapter !== undefined, 'the base is not in memory'],
  ['teacher', ({ teacher }) => teacher !== undefined, 'there is no room for a second model'],
];

/** Beside stages 2 and 3 of ZeRO, what is of replicas that have all of the model. */
const OF_ALL: Refusals = [
  ['replicas', ({ replicas }) => replicas === 'auto', 'what each has depends on how many there are: name a number'],
  ['adapter', ({ adapter }) => adapter !== undefined, 'all parameters are trained'],
  ['teacher', ({ teacher }) => teacher !== undefined, 'no replica has a second model'],
  ['momentsPrecision', ({ momentsPrecision }) => momentsPrecision !== 'fp32', 'it keeps moments in fp32'],
];

const refusals = (table: Refusals, o: ParsedTrainOptions) =>
  table.filter(([, is]) => is(o)).map(([name, , why]) => ({ name, why }));

/** What of a run's options keeps it from being trained layer by layer, and why. */
export function ofWhole(o: ParsedTrainOptions): readonly { readonly name: string; readonly why: string }[] {
  return [...refusals(OF_WHOLE, o), ...refusals(OF_MEMORY, o)];
}

/** What of a run's options keeps replicas from sharing out more than moments, and why. */
export function notShared(given: TrainOptions): ReturnType<typeof ofWhole> {
  const o = { device: 'auto', precision: 'fp32', momentsPrecision: 'fp32', ...given } as unknown as ParsedTrainOptions;
  const own = isOwn(given) ? [{ name: 'model', why: 'where to cut one of your own is not known' }] : [];
  return [...own, ...refusals(OF_WHOLE, o), ...refusals(OF_ALL, o)];
}

/** @throws UsageError where replicas are to share out more than moments and to train as only one that has all of it can */
function checkShared(o: ParsedTrainOptions): void {
  if (!sharesGradients(o)) return;
  throwIf(
    o.module !== undefined,
    ({ option }) =>
      `${option('zero', o.zero)} cuts a model between its layers, and those of one's own are not known. Take ` +
      `${option('zero', 1)}, which shares out moments.`,
  );
  const wrong = notShared(o as unknown as TrainOptions);
  throwIf(wrong.length > 0, ({ option }) => {
    const list = wrong.map(({ name, why }) => `${option(name)} (${why})`);
    return (
      `${option('zero', o.zero)} has replicas train layer by layer, each with its share of the model's state; leave out ` +
      `${list.join(', ')}. ${option('zero', 1)} shares out moments alone, and trains as a whole.`
    );
  });
}

/** @throws UsageError where a model that is trained layer by layer is to be trained as only one in memory can be */
export function checkOffload(o: ParsedTrainOptions): void {
  const wrong = isOffloaded(o) ? ofWhole(o) : [];
  if (wrong.length === 0) return;
  throw spelledError(UsageError, ({ option }) => {
    const list = wrong.map(({ name, why }) => `${option(name)} (${why})`);
    return `${option('offload', o.offload)} trains layer by layer; leave out ${list.join(', ')}.`;
  });
}

/** What trains the matrices of hidden layers, where none was named. */
export function optimizerName(o: ParsedTrainOptions): OptimizerName {
  // Muon's products of whole matrices would cost a large model more than its step of few tokens.
  if (isOffloaded(o) || sharesGradients(o)) return o.optimizer ?? 'adamw';
  const isNew = o.from === undefined && o.module === undefined;
  return o.optimizer ?? (isNew && objectiveName(o) === 'causal' ? 'muon' : 'adamw');
}

/** Options that a model to start from decides itself. */
const DECIDED = ['preset', 'model', 'layers', 'width', 'heads', 'kvHeads', 'tokenizer', 'vocab'] as const;

/**
 * Checks what was given beside `from`, before defaults are put in.
 *
 * @throws UsageError naming the options that the model decides
 */
export function checkFrom(given: TrainOptions): void {
  const others = DECIDED.filter((name) => given[name] !== undefined);
  if (others.length === 0) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${others.map((name) => option(name)).join(', ')}: the model that ${option('from')} names has its own. Leave ` +
      `${others.length > 1 ? 'them' : 'it'} out, or train a new model without ${option('from')}.`,
  );
}
