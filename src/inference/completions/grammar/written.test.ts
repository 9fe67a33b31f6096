import { expect, it } from 'vitest';
import { ask, asked, finish, open, tokenizer } from '../completions.test-support.js';
import { Grammars } from './grammars.js';

it('a model writes what a grammar asks for, and ends with it, where no token ends its texts', async () => {
  const grammars = new Grammars(tokenizer, { size: 256, end: new Set() });
  const { completions } = open({ mask: (constraint) => grammars.mask(constraint) });
  const schema = JSON.stringify({
    type: 'object',
    properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 0, maximum: 120 } },
    required: ['name', 'age'],
  });
  const told = Array.from({ length: 8 }, (_, seed) =>
    ask(completions, asked([65, 66], { seed, temperature: 1, maxTokens: 150, constraint: { kind: 'schema', schema } })),
  );
  const cut = ask(completions, asked([65], { maxTokens: 3, constraint: { kind: 'schema', schema } }));
  await finish(completions);
  for (const { events, text } of told) {
    expect(events.at(-1)).toMatchObject({ type: 'end', reason: 'end' });
    const value = JSON.parse(text) as { name: string; age: number };
    expect(Object.keys(value)).toEqual(['name', 'age']);
    expect([...value.name].length).toBeLessThanOrEqual(8);
    expect(value.age >= 0 && value.age <= 120).toBe(true);
  }
  expect(cut.events.at(-1)).toMatchObject({ type: 'end', reason: 'length' });
});
