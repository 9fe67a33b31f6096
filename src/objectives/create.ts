import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import type { TokenWindow } from '../data/sampling/token-windows.js';
import type { Tokenizer } from '../data/tokenizers/tokenizer.js';
import { someNames } from '../model/config-rules.js';
import type { Model } from '../model/model.js';
import { Causal } from './causal/causal.js';
import { Chat } from './chat/chat.js';
import { Masked } from './masked/masked.js';
import type { ObjectiveName } from './names.js';
import type { Teacher } from './next-tokens.js';
import type { Objective } from './objective.js';
import { Preference } from './preference/preference.js';
import { tokensForSource } from './seq2seq/corrupt-spans.js';
import { ofCorruptedText, ofSources } from './seq2seq/seq2seq.js';

const masked = z.strictObject({
  name: z.literal('masked'),
  /** The share of tokens that are to be told. */
  rate: z.number().gt(0).lte(0.5),
  /** The id of the tokenizer's mask token. */
  mask: z.int().positive(),
});

const chat = z.strictObject({
  name: z.literal('chat'),
  /** Whether rows share windows. */
  packed: z.boolean(),
});

const seq2seq = z.strictObject({
  name: z.literal('seq2seq'),
  /** The id that stands before what is written. */
  start: z.int().nonnegative(),
  /** The id that ends what is read, and what is written. */
  end: z.int().nonnegative(),
  /** How a text becomes pairs; left out where they are rows. */
  corruption: z
    .strictObject({
      density: z.number().gt(0).lt(1),
      span: z.number().gte(1),
      sentinel: z.int().positive(),
      sentinels: z.int().positive(),
    })
    .optional(),
  /** Of rows: the tokens of the longest source, and of the longest target. */
  room: z.strictObject({ source: z.int().positive(), target: z.int().positive() }).optional(),
});

const preference = z.strictObject({
  name: z.literal('preference'),
  /** How dear it is to leave the reference. */
  beta: z.number().positive(),
  /** The share of pairs that are held to be the wrong way round; missing: none. */
  smoothing: z.number().gt(0).lt(0.5).optional(),
});

/** What is learned of the windows of a text, as the configuration of a cluster's run holds it. */
export const textObjectiveSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('causal') }),
  masked,
  seq2seq,
]);

/** What is learned, with its settings: as `run.json` holds it. */
export const objectiveSchema = z.discriminatedUnion('name', [...textObjectiveSchema.options, chat, preference]);

/** What is learned, with its settings. */
export type ObjectiveConfig = z.output<typeof objectiveSchema>;

/** What is learned of the windows of a text, with its settings. */
export type TextObjectiveConfig = z.output<typeof textObjectiveSchema>;

/** What is learned of rows, such as conversations. */
type RowObjectiveConfig = Exclude<ObjectiveConfig, TextObjectiveConfig>;

const OF_ROWS: readonly ObjectiveName[] = ['chat', 'preference'] satisfies RowObjectiveConfig['name'][];

/** Whether an objective is learned of rows alone, such as conversations; the others are of windows of a text. */
export function learnsRows(name: ObjectiveName): boolean {
  return OF_ROWS.includes(name);
}

/** Whether what is learned comes in rows: of conversations and other kinds, or of sources with targets. */
export function comesInRows(config: ObjectiveConfig): boolean {
  return learnsRows(config.name) || (config.name === 'seq2seq' && config.room !== undefined);
}

/** What a run learns unless it says otherwise. */
export const CAUSAL: TextObjectiveConfig = { name: 'causal' };

/** What an objective is made for. */
export interface ObjectiveSetting {
  readonly model: Model;
  /** Tokens of a sample: of a text's window, {@link windowTokens}. */
  readonly context: number;
  /** Of the run, for the chance that an objective has. */
  readonly seed: number;
  /** The id that is read for what the vocabulary does not have, where there can be such. */
  readonly standIn?: number | undefined;
  /** Whose probabilities are learned beside the tokens, where such are learned that follow. */
  readonly teacher?: Teacher | undefined;
}

/** The share of tokens to be told, where nothing else was asked for (BERT, arXiv 1810.04805 §3.1). */
const RATE = 0.15;

/** How texts are corrupted (T5, arXiv 1910.10683 §3.3.4). */
const DENSITY = 0.15;
const SPAN = 3;

/** What an objective needs of a tokenizer. */
export type MarkedTokenizer = Pick<Tokenizer, 'mask' | 'sentinels' | 'endOfText'>;

/**
 * What a model was made to learn from texts, as far as it shows: the next token, masked ones, or spans that are left out.
 *
 * @throws UsageError when the tokenizer has no token that stands for what is to be told, or it is an encoder that tells
 * none
 */
export function objectiveOf(model: Model, { mask, ...tokenizer }: MarkedTokenizer): TextObjectiveConfig {
  const { architecture } = model;
  if (architecture.sees === 'past') return CAUSAL;
  if (architecture.encoder) return seq2seqOf(tokenizer, model.config as Marks);
  if (!model.scoresTokens)
    throw new UsageError(
      `This ${architecture.name} model has no head that tells masked tokens: \`architectures\` in its config.json names ` +
        `${someNames(classNames(model))}. So it cannot be measured by them: take the files of a ForMaskedLM model.`,
    );
  if (mask !== undefined) return { name: 'masked', rate: RATE, mask };
  throw new UsageError(
    `A ${architecture.name} model tells masked tokens, but its tokenizer has no mask: its tokenizer_config.json names no ` +
      'mask_token that its tokenizer.json has. Take the files that belong to the model.',
  );
}

/** The tokens that a configuration names. */
interface Marks {
  readonly decoder_start_token_id?: unknown;
  readonly pad_token_id?: unknown;
  readonly eos_token_id?: unknown;
}

/**
 * What an encoder-decoder learns.
 *
 * @param config of the model, which names the tokens that stand before and after what it writes; else the tokenizer's own
 */
export function seq2seqOf(
  { sentinels, endOfText }: Omit<MarkedTokenizer, 'mask'>,
  config: Marks = {},
): Extract<TextObjectiveConfig, { name: 'seq2seq' }> {
  const ids = (...values: unknown[]) =>
    values.flat().filter((id): id is number => Number.isInteger(id) && Number(id) >= 0);
  const [end] = ids(config.eos_token_id, endOfText);
  const [start] = ids(config.decoder_start_token_id, config.pad_token_id, endOfText);
  if (start === undefined || end === undefined)
    throw new UsageError(
      'What is written begins and ends with a token (decoder_start_token_id and eos_token_id in config.json, or the end ' +
        'of text of the tokenizer), and there is none. Take a tokenizer that has one, such as bpe.',
    );
  const corruption = sentinels && {
    density: DENSITY,
    span: SPAN,
    sentinel: sentinels.first,
    sentinels: sentinels.count,
  };
  return { name: 'seq2seq', start, end, ...(corruption && { corruption }) };
}

/** Tokens of a window of a text, for a model that is to see so many at once. */
export function windowTokens(config: ObjectiveConfig, context: number): number {
  if (config.name !== 'seq2seq' || !config.corruption) return context;
  // A source of two tokens has no room for a span.
  return tokensForSource(Math.max(3, context), config.corruption);
}

/** The classes that a configuration names. */
function classNames({ config }: Model): string[] {
  const { architectures } = config as { architectures?: unknown };
  return Array.isArray(architectures) ? architectures.map(String) : [];
}

/**
 * What is learned, made for a model.
 *
 * @throws UsageError when the model cannot learn it
 */
export function createObjective(config: TextObjectiveConfig, setting: ObjectiveSetting): Objective<TokenWindow>;
export function createObjective(config: ObjectiveConfig, setting: ObjectiveSetting): Objective<unknown>;
export function createObjective(config: ObjectiveConfig, setting: ObjectiveSetting): Objective<never> {
  const { model, context, seed, standIn = 0, teacher } = setting;
  if (teacher && config.name !== 'causal' && config.name !== 'chat')
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('teacher')} teaches the tokens that follow, of texts (causal) or of answers (chat); this run learns ` +
        `${config.name}. Leave it out, or choose another ${option('objective')}.`,
    );
  switch (config.name) {
    case 'causal':
      return new Causal(model, context, standIn, teacher);
    case 'masked':
      return new Masked(model, { ...config, context, seed, standIn });
    case 'seq2seq': {
      const { start, end, corruption, room } = config;
      if (room) return ofSources(model, { room, start, standIn });
      if (corruption) return ofCorruptedText(model, { corruption, tokens: context, seed, start, end, standIn });
      throw new UsageError(
        'A text teaches an encoder-decoder by spans that are left out, for which its tokenizer needs sentinels ' +
          '(<extra_id_0> and on). Take that of a T5, or give rows of source and target.',
      );
    }
    case 'chat':
      return new Chat(model, context, teacher);
    case 'preference':
      return new Preference(model, context, config);
  }
}
