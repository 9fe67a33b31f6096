import { z } from 'zod';
import { wrongParameter } from '../http/http-error.js';
import { messagesSchema, templateMessages } from '../writing/messages.js';
import { tokenText } from '../writing/token-texts.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { maybe, modelName, tokenId } from './fields.js';

/** Characters that are turned into tokens while others wait: a fifth of a second's work. */
const LONGEST = 100_000;

const text = z.strictObject({
  model: modelName,
  prompt: z
    .string()
    .optional()
    .meta({ description: `A text of at most ${LONGEST} characters.` }),
  messages: messagesSchema.optional().meta({ description: "A conversation, by the model's template." }),
  add_special_tokens: maybe(z.boolean()).meta({
    description:
      'Whether what begins a text is set before it, and the names of special tokens are read as such. Default true.',
  }),
  return_token_strs: maybe(z.boolean()).meta({ description: 'Give the texts of the tokens, too.' }),
});
const oneOf = text.refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
  path: ['prompt'],
  error: 'or messages must be given, and not both',
});

/** `/tokenize`. */
export const tokenize = endpoint({
  method: 'post',
  paths: ['/tokenize', '/v1/tokenize'],
  summary: "Tell a text's tokens",
  body: oneOf,
  answer: z.strictObject({
    count: z.int(),
    max_model_len: z.int(),
    tokens: z.array(z.int()),
    token_strs: z.array(z.string()).optional(),
  }),
  async handle(call: Call<z.output<typeof text>>) {
    const { prompt, messages, add_special_tokens: special, return_token_strs: strings } = call.body;
    const length = prompt?.length ?? JSON.stringify(messages).length;
    if (length > LONGEST)
      throw wrongParameter(
        prompt === undefined ? 'messages' : 'prompt',
        `This has ${length} characters; ${LONGEST} at most are turned into tokens at once. Send it in parts.`,
      );
    const model = await call.model(call.body.model);
    const tokens =
      messages === undefined
        ? await model.encode(prompt!, special !== false)
        : (await model.chatPrompt(templateMessages(messages))).prompt;
    const bytes = strings === true ? await model.tokenBytes(tokens) : undefined;
    return Response.json({
      count: tokens.length,
      max_model_len: model.context,
      tokens,
      ...(bytes && { token_strs: bytes.map((each) => tokenText(each, 'bytes:')) }),
    });
  },
});

const numbers = z.strictObject({ model: modelName, tokens: z.array(tokenId).max(1_000_000) });

/** `/detokenize`. */
export const detokenize = endpoint({
  method: 'post',
  paths: ['/detokenize', '/v1/detokenize'],
  summary: 'Tell the text of tokens',
  body: numbers,
  answer: z.strictObject({ prompt: z.string() }),
  async handle(call: Call<z.output<typeof numbers>>) {
    const { tokens } = call.body;
    const model = await call.model(call.body.model);
    const unknown = tokens.findIndex((id) => id >= model.vocabulary);
    if (unknown >= 0)
      throw wrongParameter(
        `tokens[${unknown}]`,
        `tokens[${unknown}] is ${tokens[unknown]}; the model has ${model.vocabulary} tokens.`,
      );
    return Response.json({ prompt: await model.decode(tokens) });
  },
});
