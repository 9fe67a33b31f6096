import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { openServedModel } from '../served-model.js';

const models = process.env.MEANFIELD_MODELS;
const COUNT = 50;
const SCHEMAS: readonly object[] = [
  {
    type: 'object',
    properties: { name: { type: 'string', maxLength: 30 }, age: { type: 'integer', minimum: 0, maximum: 120 } },
    required: ['name', 'age'],
    additionalProperties: false,
  },
  { type: 'array', items: { enum: ['red', 'green', 'blue'] }, minItems: 1, maxItems: 5 },
  {
    type: 'object',
    properties: {
      city: { type: 'string', pattern: '^[A-Z][a-z]{1,12}$' },
      when: { type: 'string', format: 'date' },
      hot: { type: 'boolean' },
    },
    required: ['city', 'when', 'hot'],
  },
  {
    oneOf: [
      {
        type: 'object',
        properties: { kind: { const: 'a' }, x: { type: 'number', minimum: 0, maximum: 10 } },
        required: ['kind', 'x'],
      },
      { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'] },
    ],
  },
  {
    type: 'object',
    properties: {
      tags: { type: 'array', items: { type: 'string', maxLength: 8 }, maxItems: 3 },
      note: { type: ['string', 'null'], maxLength: 20 },
    },
    required: ['tags'],
  },
];

describe.skipIf(!models)('SmolLM2-135M (skipped without MEANFIELD_MODELS)', () => {
  it(`writes ${COUNT} texts at temperature 1, of which those that end all parse and are valid`, async () => {
    const model = await openServedModel(`${models}/SmolLM2-135M-Instruct`, { precision: 'int8', threads: 1 });
    try {
      const { prompt } = await model.chatPrompt([{ role: 'user', content: 'Tell me about a person in JSON.' }]);
      const reasons: string[] = [];
      const write = async (seed: number, schema: object): Promise<void> => {
        let text = '';
        const constraint = { kind: 'schema', schema: JSON.stringify(schema) } as const;
        const request = {
          prompt,
          maxTokens: 200,
          temperature: 1,
          topK: 0,
          topP: 1,
          seed,
          stop: [],
          client: 'a',
          constraint,
        };
        for await (const event of model.complete(request, new AbortController().signal)) {
          if (event.type === 'text') text += event.text;
          if (event.type === 'end') reasons.push(event.reason);
        }
        const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
        expect(validate(JSON.parse(text)), text).toBe(true);
      };
      await Promise.all(Array.from({ length: COUNT }, (_, i) => write(100 + i, SCHEMAS[i % SCHEMAS.length]!)));
      expect(reasons).toEqual(Array.from({ length: COUNT }, () => 'end'));
    } finally {
      await model.close();
    }
  }, 300_000);
});
