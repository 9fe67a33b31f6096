import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../base/random.js';
import { BytesTokenizer } from '../../../data/tokenizers/bytes.js';
import { accepts, writeRandomly } from './grammar.test-support.js';
import { Grammars } from './grammars.js';

interface Group {
  readonly file: string;
  readonly description: string;
  readonly schema: object | boolean;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

const { groups } = JSON.parse(readFileSync(new URL('json-schema-suite.json', import.meta.url), 'utf8')) as {
  groups: readonly Group[];
};
const grammars = new Grammars(new BytesTokenizer(), { size: 256, end: new Set() });

describe.each(groups)('$file: $description', ({ description, schema, tests }) => {
  const begin = () => grammars.mask({ kind: 'schema', schema: JSON.stringify(schema) });

  it('accepts what is valid, as JSON.stringify writes it, and nothing that is not', () => {
    const accepted = tests.map(({ data }) => accepts(begin(), Buffer.from(JSON.stringify(data))));
    expect(accepted).toEqual(tests.map(({ valid }) => valid));
  });

  it('writes only what is valid', () => {
    // Without ownProperties, ajv takes the toString that each object has for a property.
    const validate = new Ajv2020({ strict: false, validateFormats: false, ownProperties: true }).compile(schema);
    for (let seed = 0; seed < 5; seed++) {
      const random = new Random(seed, description);
      const text = writeRandomly(begin(), { size: 256, bytesOf: (id) => Uint8Array.of(id), random, wander: 50 });
      expect(validate(JSON.parse(text)), text).toBe(true);
    }
  });
});
