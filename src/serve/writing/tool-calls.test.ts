import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ToolCallReader } from './tool-calls.js';

function read(text: string, cuts: readonly number[] = [], names = ['f', 'g']) {
  const reader = new ToolCallReader(names);
  const at = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].sort((a, b) => a - b);
  const pieces = at.slice(1).map((end, i) => reader.push(text.slice(at[i]!, end)));
  const all = [...pieces, reader.end()];
  return {
    text: all.map((piece) => piece.text).join(''),
    calls: all.flatMap(({ calls }) => calls.map((call) => `${call.function.name} ${call.function.arguments}`)),
  };
}

const call = '{"name": "f", "arguments": {"a": [1, "</x>"]}}';
const told = 'f {"a":[1,"</x>"]}';

describe('the calls in what a model writes', () => {
  it.each([
    [`<tool_call>\n${call}\n</tool_call>`, '', [told]],
    [`See:<tool_call>${call}</tool_call>`, 'See:', [told]],
    // The end of the turn was cut off.
    [`<tool_call>${call}`, '', [told]],
    [call, '', [told]],
    [`[TOOL_CALLS] [${call}, {"name":"g"}]`, '', [told, 'g {}']],
    [`<|python_tag|>{"name":"g","parameters":{"b":1}}`, '', ['g {"b":1}']],
    ['```json\n{"name":"g","arguments":"{\\"c\\":2}"}\n```', '', ['g {"c":2}']],
    // No such tool, no JSON, no call: text.
    ['{"name":"h","arguments":{}}', '{"name":"h","arguments":{}}', []],
    ['<tool_call>hm</tool_call>!', '<tool_call>hm</tool_call>!', []],
    ['{"answer": 42}', '{"answer": 42}', []],
    ['1 <tool', '1 <tool', []],
    ['[]', '[]', []],
    ['', '', []],
  ])('%s', (text, rest, calls) => {
    expect(read(text)).toEqual({ text: rest, calls });
  });

  it('are the same however it comes in pieces', () => {
    const parts = fc.constantFrom(
      '<tool_call>',
      '</tool_call>',
      call,
      'text',
      '<',
      '\n',
      '{',
      '[TOOL_CALLS]',
      '```',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 6 }), fc.array(fc.nat(300), { maxLength: 8 }), (list, cuts) => {
        const text = list.join('');
        const [whole, cut] = [read(text), read(text, cuts)];
        expect(cut.calls).toEqual(whole.calls);
        // Line feeds between calls are given or not, as pieces fall.
        expect(cut.text.replace(/\s/g, '')).toBe(whole.text.replace(/\s/g, ''));
      }),
      { numRuns: 500 },
    );
  });
});
