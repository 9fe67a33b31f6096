import { z } from 'zod';
import { cosine } from '../../base/cosine.js';
import type { ServedModel } from '../../inference/completions/completion.js';
import { wrongParameter } from '../http/http-error.js';
import { answerId } from '../writing/answer.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { label, maybe, modelName, refused } from './fields.js';
import { requireTask } from './tasks.js';
import { MOST_TEXTS, readUsage, usageOf } from './texts.js';

const document = z.union([z.string().min(1), z.looseObject({ text: z.string().min(1) })], {
  error: 'expected a text, or an object with a text',
});

const body = z.strictObject({
  model: modelName,
  query: z.string().min(1),
  documents: z.array(document).min(1).max(MOST_TEXTS),
  top_n: maybe(z.int().min(1)).meta({ description: 'How many of the best. Default all.' }),
  return_documents: maybe(z.boolean()).meta({ description: 'Give the documents back with their scores.' }),
  max_tokens_per_doc: refused('long texts are cut where the model ends'),
  rank_fields: refused('the text of a document is read', [['text']]),
  truncation: refused('long texts are cut where the model ends', [true]),
  user: label(),
});

/** `/v1/rerank`, in the form of Cohere and of Jina. */
export const rerank = endpoint({
  method: 'post',
  paths: ['/v1/rerank', '/v2/rerank', '/rerank'],
  summary: 'Order documents by how well they answer a question',
  body,
  answer: z.strictObject({
    id: z.string(),
    object: z.literal('list'),
    model: z.string(),
    results: z.array(
      z.strictObject({
        index: z.int(),
        relevance_score: z.number(),
        document: z.strictObject({ text: z.string() }).optional(),
      }),
    ),
    usage: readUsage,
    meta: z.strictObject({ tokens: z.strictObject({ input_tokens: z.int() }) }),
  }),
  async handle(call: Call<z.output<typeof body>>) {
    const { query, documents, top_n: most = documents.length, return_documents: back } = call.body;
    const model = await call.model(call.body.model);
    if (!model.tasks.has('rerank')) requireTask(model, 'embed', '/v1/rerank');
    const texts = documents.map((one) => (typeof one === 'string' ? one : one.text));
    const { scores, tokens } = await relevance(model, query, texts, call.signal);
    const usage = usageOf(tokens);
    const results = texts
      .map((text, index) => ({ index, relevance_score: scores[index]!, ...(back === true && { document: { text } }) }))
      .sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index)
      .slice(0, most);
    const meta = { tokens: { input_tokens: usage.prompt_tokens } };
    return Response.json({ id: answerId('rerank'), object: 'list', model: model.name, results, usage, meta });
  },
});

/** Scores by a model that ranks, else the cosines of vectors. */
async function relevance(
  model: ServedModel,
  query: string,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly scores: readonly number[]; readonly tokens: number }> {
  if (model.tasks.has('rerank')) {
    const { labels, scores, tokens } = await model.classify(
      texts.map((text) => [query, text] as const),
      signal,
    );
    if (labels.length > 2)
      throw wrongParameter('model', `The model "${model.name}" has ${labels.length} labels: ask /v1/classify.`);
    // Of two labels the second says that the text belongs to the query.
    return { scores: scores.map((score) => score.at(-1)!), tokens };
  }
  const { vectors, tokens } = await model.embed([query, ...texts], signal);
  const [asked, ...found] = vectors;
  return { scores: found.map((vector) => cosine(asked!, vector)), tokens };
}
