import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BytesTokenizer } from '../tokenizers/bytes.js';
import type { TokenRow } from './row-file.js';
import { fitSource, SourceEncoder, sourceAndTarget } from './source-row.js';

const END = 0;
const encoder = new SourceEncoder(new BytesTokenizer(), END);
const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'é', ' ') });

async function encoded(prompt: string, completion: string): Promise<TokenRow> {
  const [row] = await encoder.encode([{ prompt, completion }]);
  return row as TokenRow;
}

it('gives source and target back, each with the token that ends it, and cuts each by itself', async () => {
  await fc.assert(
    fc.asyncProperty(texts, texts, fc.integer({ min: 1, max: 12 }), async (prompt, completion, longest) => {
      const row = await encoded(prompt, completion);
      const ended = (text: string) => [...Buffer.from(text), END];
      const fitted = fitSource(row, longest);
      if (completion === '') {
        expect(fitted).toBeUndefined();
        return;
      }
      const whole = sourceAndTarget(row);
      expect([[...whole.source], [...whole.target]]).toEqual([ended(prompt), ended(completion)]);
      const { source, target } = sourceAndTarget(fitted!.rows[0]);
      const cut = ended(prompt).length > longest || ended(completion).length > longest;
      expect(fitted!.cut).toBe(cut);
      expect([...target]).toEqual(ended(completion).slice(0, longest));
      expect(source.at(-1)).toBe(END);
      expect([...source.subarray(0, -1)]).toEqual(ended(prompt).slice(0, source.length - 1));
      expect(source.length).toBe(Math.min(longest, ended(prompt).length));
    }),
  );
});

it('ends a text once', async () => {
  expect([...(await encoded('a\0', 'b')).ids]).toEqual([97, END, 98, END]);
});
