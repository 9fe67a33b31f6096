import { z } from 'zod';
import type { CompletionRequest, ServedModel } from '../../inference/completions/completion.js';
import { wrongParameter } from '../http/http-error.js';
import { usageSchema } from '../writing/answer.js';
import { answerTexts } from '../writing/answer-texts.js';
import { ChatChoice } from '../writing/chat-choice.js';
import { callConstraint } from '../writing/forced-call.js';
import { messagesSchema, templateMessages } from '../writing/messages.js';
import { MOST_TOP, roomFor, SAMPLING_FIELDS, samplingOf } from '../writing/sampling.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { label, maybe, modelName, refused } from './fields.js';
import { requireTask } from './tasks.js';

const tool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().regex(/^[\w.-]{1,64}$/),
    description: maybe(z.string()),
    parameters: maybe(z.record(z.string(), z.unknown())),
    strict: maybe(z.boolean()),
  }),
});

const toolChoice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string() }) }),
]);

const body = z.strictObject({
  model: modelName,
  messages: messagesSchema,
  max_completion_tokens: maybe(z.int().min(1)).meta({
    description: 'Tokens to write at most. Default: what the context has room for.',
  }),
  max_tokens: maybe(z.int().min(1)).meta({ description: 'The same, by its older name.' }),
  logprobs: maybe(z.boolean()).meta({ description: 'Tell the scores of tokens.' }),
  top_logprobs: maybe(z.int().min(0).max(MOST_TOP)).meta({ description: 'Tell so many of the likeliest tokens.' }),
  tools: maybe(z.array(tool).max(128)).meta({
    description: 'What the model may call, where its template knows tools.',
  }),
  tool_choice: maybe(toolChoice).meta({
    description:
      'Whether the answer is a call: `required` of any tool, or of one by its name; its arguments are valid then.',
  }),
  parallel_tool_calls: maybe(z.boolean()),
  functions: refused('they are called tools now'),
  function_call: refused('it is called tool_choice now'),
  modalities: refused('models here write text', [['text']]),
  audio: refused('models here write text'),
  prediction: refused('nothing is gained by it'),
  reasoning_effort: refused('models here think as their template says'),
  verbosity: refused('models here write as they were trained to', ['medium']),
  web_search_options: refused('models here do not search'),
  service_tier: refused('there is one', ['auto', 'default']),
  store: refused('nothing is kept', [false]),
  metadata: label(),
  prompt_cache_key: label(),
  prompt_cache_retention: label(),
  safety_identifier: label(),
  ...SAMPLING_FIELDS,
});

type Body = z.output<typeof body>;

const score = z.strictObject({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) });
const logprobs = z
  .strictObject({ content: z.array(score.extend({ top_logprobs: z.array(score) })), refusal: z.null() })
  .nullable();
const call = z.strictObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
});
const reason = z.enum(['stop', 'length', 'tool_calls']);
const head = { id: z.string(), created: z.int(), model: z.string(), system_fingerprint: z.string() };

/** `/v1/chat/completions`. */
export const chat = endpoint({
  method: 'post',
  paths: ['/v1/chat/completions'],
  summary: 'Answer in a conversation',
  body,
  answer: z.strictObject({
    ...head,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.strictObject({
        index: z.int(),
        message: z.strictObject({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          tool_calls: z.array(call).optional(),
        }),
        logprobs,
        finish_reason: reason,
      }),
    ),
    usage: usageSchema,
  }),
  event: z.strictObject({
    ...head,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.strictObject({
        index: z.int(),
        delta: z.strictObject({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          tool_calls: z.array(call.extend({ index: z.int() })).optional(),
        }),
        logprobs,
        finish_reason: reason.nullable(),
      }),
    ),
    usage: usageSchema.nullish(),
  }),
  async handle(call: Call<Body>) {
    const { body, service } = call;
    const model = await call.model(body.model);
    requireTask(model, 'complete', '/v1/chat/completions');
    if (body.top_logprobs !== undefined && body.logprobs !== true)
      throw wrongParameter('top_logprobs', 'top_logprobs is told with scores: set logprobs to true.');
    const { tools, forced } = toolsOf(body);
    const { prompt, stop } = await promptOf(body, model, tools, forced !== undefined);
    const asked = body.max_completion_tokens ?? body.max_tokens;
    const param = body.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens';
    const maxTokens = roomFor(asked, { prompt: prompt.length, model, most: service.maxTokens, param });
    const sampling = samplingOf(body, model, stop);
    const requests = Array.from(
      { length: body.n ?? 1 },
      (_, i): CompletionRequest => ({
        ...sampling,
        ...(forced && { constraint: callConstraint(forced) }),
        ...{ prompt, maxTokens, seed: sampling.seed + i, client: call.client },
        ...(body.logprobs === true && { topLogprobs: body.top_logprobs ?? 0 }),
      }),
    );
    const texts = requests.map(
      (_, index) =>
        new ChatChoice(model, {
          index,
          logprobs: body.logprobs === true,
          tools: tools?.map((one) => one.function.name),
          parallel: body.parallel_tool_calls !== false,
        }),
    );
    const object = 'chat.completion';
    return answerTexts(call, model, requests, { id: 'chatcmpl', object, event: `${object}.chunk`, texts });
  },
});

/**
 * The tools that the model hears of, and those of which it is to call one.
 *
 * @throws HttpError 400 where a call is wanted and there is no such tool, or the text is to be something else
 */
function toolsOf(body: Body): { readonly tools: Body['tools']; readonly forced?: NonNullable<Body['tools']> } {
  const { tool_choice: choice, response_format: format } = body;
  const tools = choice === 'none' || body.tools?.length === 0 ? undefined : body.tools;
  if (choice === undefined || choice === 'none' || choice === 'auto') return { tools };
  if (tools === undefined) throw wrongParameter('tool_choice', 'tool_choice wants a call, and there are no tools.');
  if (body.guided_regex !== undefined || (format !== undefined && format.type !== 'text'))
    throw wrongParameter('tool_choice', 'tool_choice wants a call, and the text cannot be of another form as well.');
  if (choice === 'required') return { tools, forced: tools };
  const { name } = choice.function;
  const forced = tools.filter((tool) => tool.function.name === name);
  if (forced.length === 0)
    throw wrongParameter(
      'tool_choice.function.name',
      `tool_choice names "${name.slice(0, 100)}", which no tool is called.`,
    );
  return { tools, forced };
}

/** What stands before a call in many templates; a model that knows it writes better calls after it. */
const CALL = '<tool_call>';

/** The conversation as the model's template writes it. @param calls whether the answer is a call */
async function promptOf(
  { messages }: Body,
  model: ServedModel,
  tools: Body['tools'],
  calls: boolean,
): Promise<{ readonly prompt: readonly number[]; readonly stop: readonly string[] }> {
  const said = templateMessages(messages);
  const most = model.context;
  if (tools === undefined) return model.chatPrompt(said, { most });
  const given = tools.map(({ function: { strict: _, ...described }, ...rest }) => ({ ...rest, function: described }));
  const [without, with_] = await Promise.all([
    model.chatPrompt(said, { most }),
    model.chatPrompt(said, { tools: given, most }),
  ]);
  // A template that knows no tools passes them by, and the model would never hear of them.
  if (without.prompt.length <= most && String(without.prompt) === String(with_.prompt))
    throw wrongParameter(
      'tools',
      `tools: the template of the model "${model.name}" knows none. Leave them out, or serve a model that does.`,
      'unsupported_parameter',
    );
  if (!calls || with_.prompt.length > most || !(await model.decode(with_.prompt)).includes(CALL)) return with_;
  return { ...with_, prompt: [...with_.prompt, ...(await model.encode(`${CALL}\n`, true))] };
}
