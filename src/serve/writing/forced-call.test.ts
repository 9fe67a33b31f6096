import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { BytesTokenizer } from '../../data/tokenizers/bytes.js';
import { writeRandomly } from '../../inference/completions/grammar/grammar.test-support.js';
import { Grammars } from '../../inference/completions/grammar/grammars.js';
import { callConstraint } from './forced-call.js';

const grammars = new Grammars(new BytesTokenizer(), { size: 256, end: new Set() });
const forecast = {
  $id: 'https://example.com/forecast',
  type: 'object',
  properties: {
    // Names that are keywords elsewhere, and a text that only looks like a reference.
    enum: { $ref: '#/$defs/unit' },
    $ref: { const: { $ref: '#/nowhere' } },
    tree: { $ref: '#/$defs/tree' },
  },
  required: ['enum', '$ref', 'tree'],
  additionalProperties: false,
  $defs: {
    unit: { enum: ['C', 'F'] },
    tree: {
      type: 'object',
      properties: { leaf: { type: 'boolean' }, next: { $ref: '#/$defs/tree' } },
      required: ['leaf'],
      additionalProperties: false,
    },
  },
};

it('every text is a call of one of the tools, its arguments valid by the schema as it stood alone', () => {
  const tools = [
    { function: { name: 'forecast', parameters: forecast } },
    { function: { name: 'now', parameters: { properties: {}, additionalProperties: false } } },
  ];
  const { $id: _, ...schema } = forecast;
  const validate = new Ajv2020({ strict: false }).compile(schema);
  const names = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const mask = grammars.mask(callConstraint(tools));
    const random = new Random(seed, 'call');
    const text = writeRandomly(mask, { size: 256, bytesOf: (id) => Uint8Array.of(id), random, wander: 60 });
    const { name, arguments: input, ...rest } = JSON.parse(text);
    expect(rest).toEqual({});
    names.add(name);
    if (name === 'forecast') expect(validate(input), text).toBe(true);
    else expect(input).toEqual({});
  }
  expect([...names].sort()).toEqual(['forecast', 'now']);
});

it('a tool that says nothing of its arguments takes an object', () => {
  const mask = grammars.mask(callConstraint([{ function: { name: 'f' } }]));
  for (const byte of Buffer.from('{"name":"f","arguments":')) mask.accept(byte);
  const allowed = [...'{["1tn'].filter((char) => {
    const code = char.charCodeAt(0);
    return (mask.next()[code >>> 5]! & (1 << (code & 31))) !== 0;
  });
  expect(allowed).toEqual(['{']);
});
