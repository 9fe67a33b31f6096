import { z } from 'zod';
import type { CompletionRequest, ServedModel } from '../../inference/completions/completion.js';
import { wrongParameter } from '../http/http-error.js';
import { usageSchema } from '../writing/answer.js';
import { answerTexts } from '../writing/answer-texts.js';
import { MOST_TOP, roomFor, SAMPLING_FIELDS, samplingOf } from '../writing/sampling.js';
import { TextChoice } from '../writing/text-choice.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { maybe, modelName, refused, tokenId } from './fields.js';
import { requireTask } from './tasks.js';

/** Prompts that may come in one request. */
const MOST_PROMPTS = 256;
/** What is written where nothing says how much. */
const DEFAULT_TOKENS = 16;

const ids = z.array(tokenId).min(1);

const body = z.strictObject({
  model: modelName,
  prompt: z
    .union([z.string(), z.array(z.string()).min(1).max(MOST_PROMPTS), ids, z.array(ids).min(1).max(MOST_PROMPTS)])
    .meta({ description: 'A text, or several, or the same as numbers of tokens.' }),
  max_tokens: maybe(z.int().min(0)).meta({ description: `Tokens to write at most. Default ${DEFAULT_TOKENS}.` }),
  echo: maybe(z.boolean()).meta({
    description: 'Begin the answer with the prompt, and its scores with those of the prompt.',
  }),
  logprobs: maybe(z.int().min(0).max(MOST_TOP)).meta({
    description: 'Tell scores, and so many of the likeliest tokens.',
  }),
  best_of: refused('the texts of n are given as they come', [1]),
  suffix: refused('the models served here write on, they do not fill in', ['']),
  ...SAMPLING_FIELDS,
});

type Body = z.output<typeof body>;

const logprobs = z.strictObject({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  text_offset: z.array(z.int()),
});
const choice = z.strictObject({
  text: z.string(),
  index: z.int(),
  logprobs: logprobs.nullable(),
  finish_reason: z.enum(['stop', 'length']).nullable(),
});
const base = {
  id: z.string(),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string(),
  choices: z.array(choice),
};

/** `/v1/completions`. */
export const completions = endpoint({
  method: 'post',
  paths: ['/v1/completions'],
  summary: 'Write on from a text',
  body,
  answer: z.strictObject({ ...base, usage: usageSchema }),
  event: z.strictObject({ ...base, usage: usageSchema.nullish() }),
  async handle(call: Call<Body>) {
    const { body, service } = call;
    const model = await call.model(body.model);
    requireTask(model, 'complete', '/v1/completions');
    const prompts = await promptsOf(body, model);
    const sampling = samplingOf(body, model);
    const n = body.n ?? 1;
    const limits = { model, most: service.maxTokens, param: 'max_tokens' };
    const requests = prompts.flatMap(({ ids }): CompletionRequest[] => {
      const maxTokens = roomFor(body.max_tokens ?? DEFAULT_TOKENS, { ...limits, prompt: ids.length });
      return Array.from({ length: n }, (_, i) => ({
        ...sampling,
        prompt: ids,
        maxTokens,
        seed: sampling.seed + i,
        client: call.client,
        ...(body.logprobs !== undefined && { topLogprobs: body.logprobs, promptLogprobs: body.echo === true }),
      }));
    });
    const texts = requests.map(
      (_, index) =>
        new TextChoice(model, {
          index,
          logprobs: body.logprobs !== undefined,
          echo: body.echo === true ? prompts[Math.floor(index / n)]!.text : undefined,
        }),
    );
    const object = 'text_completion';
    return answerTexts(call, model, requests, { id: 'cmpl', object, event: object, texts });
  },
});

/** Prompts as numbers of tokens, and as the texts that `echo` gives back. */
async function promptsOf(
  { prompt, echo }: Body,
  model: ServedModel,
): Promise<readonly { readonly ids: readonly number[]; readonly text: string }[]> {
  const list = (typeof prompt === 'string' || typeof prompt[0] === 'number' ? [prompt] : prompt) as (
    | string
    | number[]
  )[];
  return Promise.all(
    list.map(async (one, i) => {
      const param = list.length > 1 ? `prompt[${i}]` : 'prompt';
      if (typeof one === 'string') {
        const ids = await model.encode(one, true, model.context);
        if (ids.length === 0)
          throw wrongParameter(param, `${param} has no token: give the model a text to begin with.`);
        return { ids, text: one };
      }
      const unknown = one.find((id) => id >= model.vocabulary);
      if (unknown !== undefined)
        throw wrongParameter(param, `${param} names token ${unknown}; the model has ${model.vocabulary} tokens.`);
      return { ids: one, text: echo === true ? await model.decode(one) : '' };
    }),
  );
}
