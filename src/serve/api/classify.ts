import { z } from 'zod';
import { answerId } from '../writing/answer.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { maybe, modelName } from './fields.js';
import { requireTask } from './tasks.js';
import { listOf, MOST_TEXTS, readUsage, texts, usageOf } from './texts.js';

const pair = z.tuple([z.string(), z.string()]);
const body = z.strictObject({
  model: modelName,
  input: texts.optional().meta({ description: 'A text, or several, none empty.' }),
  pairs: maybe(z.array(pair).min(1).max(MOST_TEXTS)).meta({ description: 'Pairs of texts, for models that read two.' }),
  user: maybe(z.string().max(1000)),
});
const oneOf = body.refine(({ input, pairs }) => (input === undefined) !== (pairs === undefined), {
  path: ['input'],
  error: 'or pairs must be given, and not both',
});

/** `/v1/classify`. */
export const classify = endpoint({
  method: 'post',
  paths: ['/v1/classify', '/classify'],
  summary: "Tell texts' labels",
  body: oneOf,
  answer: z.strictObject({
    id: z.string(),
    object: z.literal('list'),
    created: z.int(),
    model: z.string(),
    data: z.array(
      z.strictObject({
        index: z.int(),
        label: z.string(),
        probs: z.array(z.number()),
        num_classes: z.int(),
        scores: z.record(z.string(), z.number()),
      }),
    ),
    usage: readUsage,
  }),
  async handle(call: Call<z.output<typeof body>>) {
    const { input, pairs } = call.body;
    const model = await call.model(call.body.model);
    requireTask(model, 'classify', '/v1/classify');
    const read = pairs ?? listOf(input!);
    const { labels, scores, tokens } = await model.classify(read, call.signal);
    const usage = usageOf(tokens);
    const data = scores.map((probs, index) => ({
      index,
      label: labels[probs.indexOf(Math.max(...probs))]!,
      probs: [...probs],
      num_classes: labels.length,
      scores: Object.fromEntries(labels.map((label, i) => [label, probs[i]!])),
    }));
    const created = Math.floor(Date.now() / 1000);
    return Response.json({ id: answerId('classify'), object: 'list', created, model: model.name, data, usage });
  },
});
