import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { UsageError } from '../../base/errors.js';
import type { CompletionRequest, Constraint, ServedModel } from '../../inference/completions/completion.js';
import { maybe, refused } from '../api/fields.js';
import { HttpError, wrongParameter } from '../http/http-error.js';

/** The most texts that a request has written at once. */
const MOST_CHOICES = 128;
/** The most likely tokens that are told of each place. */
export const MOST_TOP = 20;

const stops = z.union([z.string().min(1).max(1000), z.array(z.string().min(1).max(1000)).max(64)]);

/** What both ways to have a text written take. */
export const SAMPLING_FIELDS = {
  temperature: maybe(z.number().min(0).max(2)).meta({ description: '0 takes the likeliest token always. Default 1.' }),
  top_p: maybe(z.number().min(0).max(1)).meta({
    description: 'Choose among the likeliest tokens that together have this probability. Default 1.',
  }),
  top_k: maybe(z.int().min(0)).meta({ description: 'Choose among so many likeliest tokens; 0, the default, for all.' }),
  n: maybe(z.int().min(1).max(MOST_CHOICES)).meta({ description: 'Texts to write. Default 1.' }),
  stop: maybe(stops).meta({ description: 'Texts that end the answer, and are not part of it.' }),
  seed: maybe(z.int()).meta({ description: 'The same seed writes the same text.' }),
  frequency_penalty: maybe(z.number().min(-2).max(2)),
  presence_penalty: maybe(z.number().min(-2).max(2)),
  logit_bias: maybe(z.record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100))).meta({
    description: 'Added to the scores of tokens, by their numbers.',
  }),
  ignore_eos: maybe(z.boolean()).meta({ description: 'Go on after the token that ends a text.' }),
  stream: maybe(z.boolean()).meta({ description: 'Send the answer in pieces, as server-sent events.' }),
  stream_options: maybe(
    z.strictObject({
      include_usage: maybe(z.boolean()),
      include_obfuscation: refused('nothing is added to the pieces', [false]),
    }),
  ),
  response_format: maybe(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text') }),
      z.strictObject({ type: z.literal('json_object') }),
      z.strictObject({
        type: z.literal('json_schema'),
        json_schema: z.strictObject({
          name: maybe(z.string().max(200)),
          description: maybe(z.string()),
          schema: z.union([z.record(z.string(), z.unknown()), z.boolean()]),
          strict: maybe(z.boolean()),
        }),
      }),
    ]),
  ).meta({ description: 'What the text must be: JSON, or JSON of a schema.' }),
  guided_regex: maybe(z.string().min(1).max(10_000)).meta({ description: 'A regular expression of the whole text.' }),
  user: maybe(z.string().max(1000)).meta({ description: 'Who asks, in words of the client. No effect on the answer.' }),
} as const;

/** {@link SAMPLING_FIELDS}, parsed. */
export type SamplingFields = z.output<z.ZodObject<typeof SAMPLING_FIELDS>>;

/** What of a request is the same for all the texts that it has written. */
export type SamplingParts = Omit<
  CompletionRequest,
  'prompt' | 'maxTokens' | 'client' | 'topLogprobs' | 'promptLogprobs'
>;

/**
 * How a request has its texts written, the first of them: the others count the seed on.
 *
 * @throws HttpError 400 for what contradicts itself, or names a token that the model has not
 */
export function samplingOf(fields: SamplingFields, model: ServedModel, stop: readonly string[] = []): SamplingParts {
  if (fields.stream_options !== undefined && fields.stream !== true)
    throw wrongParameter('stream_options', 'stream_options is for streams: set stream to true.');
  const bias = Object.entries(fields.logit_bias ?? {}).map(([id, value]) => [Number(id), value] as const);
  for (const [id] of bias)
    if (id >= model.vocabulary)
      throw wrongParameter(
        `logit_bias.${id}`,
        `logit_bias names token ${id}; the model has ${model.vocabulary} tokens.`,
      );
  const own = typeof fields.stop === 'string' ? [fields.stop] : (fields.stop ?? []);
  return {
    temperature: fields.temperature ?? 1,
    topK: fields.top_k ?? 0,
    // The smallest share is the likeliest token alone.
    topP: Math.max(fields.top_p ?? 1, Number.EPSILON),
    seed: seedOf(fields.seed),
    ...(bias.length > 0 && { logitBias: new Map(bias) }),
    ...(fields.frequency_penalty !== undefined && { frequencyPenalty: fields.frequency_penalty }),
    ...(fields.presence_penalty !== undefined && { presencePenalty: fields.presence_penalty }),
    stop: [...new Set([...own, ...stop])],
    ...(fields.ignore_eos !== undefined && { ignoreEnd: fields.ignore_eos }),
    ...constraintOf(fields),
  };
}

/** Seeds of ours are not negative. */
function seedOf(seed: number | undefined): number {
  if (seed === undefined) return randomInt(2 ** 32);
  return seed < 0 ? Number.MAX_SAFE_INTEGER + 1 + seed : seed;
}

function constraintOf({ response_format: format, guided_regex: regex }: SamplingFields): {
  constraint?: Constraint;
} {
  const shaped = format !== undefined && format.type !== 'text';
  if (regex !== undefined) {
    if (shaped)
      throw wrongParameter('guided_regex', 'guided_regex and response_format cannot both say what the text is.');
    return { constraint: { kind: 'regex', regex } };
  }
  if (!shaped) return {};
  if (format.type === 'json_object') return { constraint: { kind: 'json' } };
  return { constraint: { kind: 'schema', schema: JSON.stringify(format.json_schema.schema) } };
}

/** What says which form a text has. */
export interface ShapeFields extends Pick<SamplingFields, 'response_format' | 'guided_regex'> {
  readonly tool_choice?: unknown;
}

/**
 * What to tell of an error at the beginning of a text that is to have a form: a fault of that, by the parameter's name.
 *
 * @param error thrown by the model
 */
export function shapeFault(error: unknown, fields: ShapeFields): unknown {
  const { response_format: format, guided_regex: regex, tool_choice: choice } = fields;
  const shaped = format !== undefined && format.type !== 'text';
  const called = choice !== undefined && choice !== 'auto' && choice !== 'none';
  const param = regex !== undefined ? 'guided_regex' : shaped ? 'response_format' : called ? 'tools' : undefined;
  if (!(error instanceof UsageError) || param === undefined) return error;
  return wrongParameter(param, `${param} cannot be kept to: ${error.message}`, 'unsupported_parameter');
}

/**
 * How many tokens a text may have: what is asked for, or all that the context and the server allow.
 *
 * @param param the parameter's name
 * @throws HttpError 400 when that is more than there is room for
 */
export function roomFor(
  asked: number | undefined,
  { prompt, model, most, param }: { prompt: number; model: ServedModel; most: number; param: string },
): number {
  const room = model.context - prompt;
  if (asked !== undefined && asked > most)
    throw wrongParameter(param, `${param}: this server writes ${most} tokens at most for a request. Got ${asked}.`);
  if (room < (asked ?? 1)) throw contextExceeded(model.context, prompt, asked);
  return asked ?? Math.min(room, most);
}

function contextExceeded(context: number, prompt: number, asked: number | undefined): HttpError {
  const what =
    asked === undefined || prompt > context
      ? // Of a prompt that is far too long only a beginning is turned into tokens.
        `your prompt has ${prompt} tokens or more`
      : `you asked for ${prompt + asked} tokens (${prompt} in the prompt, ${asked} to write)`;
  return new HttpError(
    400,
    `This model's maximum context length is ${context} tokens, and ${what}. Shorten the prompt, or ask for fewer tokens.`,
    { param: 'prompt', code: 'context_length_exceeded' },
  );
}
