import { endianness } from 'node:os';
import { z } from 'zod';
import { wrongParameter } from '../http/http-error.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { maybe, modelName, tokenId } from './fields.js';
import { requireTask } from './tasks.js';
import { listOf, MOST_TEXTS, readUsage, usageOf } from './texts.js';

const numbers = z.array(tokenId).min(1);

const body = z.strictObject({
  model: modelName,
  input: z
    .union([
      z.string().min(1),
      z.array(z.string().min(1)).min(1).max(MOST_TEXTS),
      numbers,
      z.array(numbers).min(1).max(MOST_TEXTS),
    ])
    .meta({ description: 'A text, or several, none empty.' }),
  encoding_format: maybe(z.enum(['float', 'base64'])).meta({
    description: 'Numbers, or the bytes of little-endian float32. Default float.',
  }),
  dimensions: maybe(z.int().min(1)).meta({ description: 'Only what the vectors of the model have.' }),
  user: maybe(z.string().max(1000)),
});

/** `/v1/embeddings`. */
export const embeddings = endpoint({
  method: 'post',
  paths: ['/v1/embeddings'],
  summary: 'Turn texts into vectors',
  body,
  answer: z.strictObject({
    object: z.literal('list'),
    model: z.string(),
    data: z.array(
      z.strictObject({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    usage: readUsage,
  }),
  async handle(call: Call<z.output<typeof body>>) {
    const { input, dimensions, encoding_format: format } = call.body;
    const model = await call.model(call.body.model);
    requireTask(model, 'embed', '/v1/embeddings');
    // They are of whatever tokenizer the client has, which is seldom the model's, and nothing would tell.
    if (typeof input !== 'string' && typeof input[0] !== 'string')
      throw wrongParameter(
        'input',
        'input: expected texts, got numbers of tokens. Clients that count tokens themselves can be told not to ' +
          '(LangChain: check_embedding_ctx_length=False).',
      );
    const texts = listOf(input as string | readonly string[]);
    const { vectors, tokens } = await model.embed(texts, call.signal);
    const width = vectors[0]!.length;
    if (dimensions !== undefined && dimensions !== width)
      throw wrongParameter(
        'dimensions',
        `dimensions: the vectors of the model "${model.name}" have ${width}, and it was not trained to have fewer. Got ${dimensions}.`,
        'unsupported_parameter',
      );
    const data = vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: format === 'base64' ? littleEndian(vector).toString('base64') : [...vector],
    }));
    return Response.json({ object: 'list', model: model.name, data, usage: usageOf(tokens) });
  },
});

function littleEndian(vector: Float32Array): Buffer {
  // A copy: its bytes may be turned round.
  const bytes = Buffer.from(vector.slice().buffer);
  return endianness() === 'LE' ? bytes : bytes.swap32();
}
