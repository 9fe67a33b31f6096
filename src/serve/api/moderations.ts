import { z } from 'zod';
import { answerId } from '../writing/answer.js';
import type { Call } from './call.js';
import { endpoint } from './endpoint.js';
import { maybe, modelName } from './fields.js';
import { requireTask } from './tasks.js';
import { MOST_TEXTS, texts } from './texts.js';

const part = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });

const body = z.strictObject({
  model: modelName,
  input: z.union([texts, z.array(part).min(1).max(MOST_TEXTS)]).meta({ description: 'A text, or several.' }),
  threshold: maybe(z.number().min(0).max(1)).meta({
    description: 'From which score on a category is flagged. Default 0.5.',
  }),
});

/** Labels by which a classifier says that nothing is wrong. */
const HARMLESS =
  /^(?:ok(?:ay)?|safe|none|neutral|normal|clean|ham|benign|harmless|acceptable|allowed|fine|no|(?:not?|non)[ _-].*)$/i;

/** `/v1/moderations`: the labels of a classifier as categories. */
export const moderations = endpoint({
  method: 'post',
  paths: ['/v1/moderations'],
  summary: 'Tell whether texts should be passed on',
  body,
  answer: z.strictObject({
    id: z.string(),
    model: z.string(),
    results: z.array(
      z.strictObject({
        flagged: z.boolean(),
        categories: z.record(z.string(), z.boolean()),
        category_scores: z.record(z.string(), z.number()),
        category_applied_input_types: z.record(z.string(), z.array(z.literal('text'))),
      }),
    ),
  }),
  async handle(call: Call<z.output<typeof body>>) {
    const { input, threshold = 0.5 } = call.body;
    const model = await call.model(call.body.model);
    requireTask(model, 'classify', '/v1/moderations');
    const list = typeof input === 'string' ? [input] : input.map((one) => (typeof one === 'string' ? one : one.text));
    const { labels, scores } = await model.classify(list, call.signal);
    const by = <T>(value: (label: string, i: number) => T) =>
      Object.fromEntries(labels.map((label, i) => [label, value(label, i)]));
    const results = scores.map((score) => ({
      flagged: labels.some((label, i) => score[i]! >= threshold && !HARMLESS.test(label)),
      categories: by((_, i) => score[i]! >= threshold),
      category_scores: by((_, i) => score[i]!),
      category_applied_input_types: by(() => ['text']),
    }));
    return Response.json({ id: answerId('modr'), model: model.name, results });
  },
});
