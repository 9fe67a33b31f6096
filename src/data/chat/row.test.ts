import { describe, expect, it } from 'vitest';
import { parseRow, parseSourceRow } from './row.js';

const turns = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello' },
];
const chat = { messages: turns, from: 0 };

describe('forms of rows', () => {
  it.each([
    ['messages', { messages: turns, source: 'x' }, chat],
    ['messages', { messages: JSON.stringify(turns) }, chat],
    [
      'messages',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'H' }, { text: 'i' }] }, turns[1]] },
      chat,
    ],
    [
      'ShareGPT',
      {
        conversations: [
          { from: 'human', value: 'Hi' },
          { from: 'gpt', value: 'Hello' },
        ],
      },
      chat,
    ],
    ['ShareGPT', { conversations: turns, system: null }, chat],
    [
      'ShareGPT',
      { conversations: turns, system: 'Be kind.' },
      { messages: [{ role: 'system', content: 'Be kind.' }, ...turns], from: 0 },
    ],
    ['Alpaca', { instruction: 'Hi', input: '', output: 'Hello' }, chat],
    [
      'Alpaca',
      { instruction: 'H', input: 'i', output: 'Hello' },
      { messages: [{ role: 'user', content: 'H\n\ni' }, turns[1]], from: 0 },
    ],
    ['prompt and completion', { prompt: 'Hi', completion: ' Hello' }, { prompt: 'Hi', completion: ' Hello' }],
    ['prompt and completion', { prompt: [turns[0]], completion: [turns[1]] }, { messages: turns, from: 1 }],
    ['text', { text: 'Once' }, { prompt: '', completion: 'Once' }],
  ])('%s: %j', (form, row, learned) => {
    const parsed = parseRow(row);
    expect(parsed).toMatchObject({ form, learned });
  });

  it('takes pairs with a prompt, without, and as messages; what is learned is the one chosen', () => {
    expect(parseRow({ prompt: 'Q', chosen: 'A', rejected: 'B' })).toEqual({
      form: 'preference',
      learned: { prompt: 'Q', completion: 'A' },
      rejected: { prompt: 'Q', completion: 'B' },
    });
    expect(parseRow({ chosen: turns, rejected: [turns[0], { role: 'assistant', content: 'No' }] })).toMatchObject({
      form: 'preference',
      learned: chat,
      rejected: { messages: [turns[0], { role: 'assistant', content: 'No' }] },
    });
  });

  it('keeps what templates read beside the content', () => {
    const call = { role: 'assistant', content: null, tool_calls: [{ function: { name: 'f' } }], name: null };
    const row = parseRow({ messages: [turns[0], call, { role: 'tool', content: '1' }], tools: '[{"name":"f"}]' });
    expect(row).toMatchObject({
      learned: {
        messages: [turns[0], { content: '', tool_calls: call.tool_calls }, { role: 'tool' }],
        tools: [{ name: 'f' }],
      },
    });
  });
});

it.each([
  [{ source: 'a', target: 'b', text: 'c' }, 'a', 'b'],
  [{ input: 'a', output: 'b', instruction: null }, 'a', 'b'],
  [{ text: 'a', summary: 'b' }, 'a', 'b'],
  [{ prompt: 'a', completion: 'b' }, 'a', 'b'],
  [{ instruction: 'a', input: 'i', output: 'b' }, 'a\n\ni', 'b'],
  [{ instruction: 'a', output: 'b' }, 'a', 'b'],
])('finds the source and the target of %j', (row, prompt, completion) => {
  expect(parseSourceRow(row)).toEqual({ form: 'source and target', learned: { prompt, completion } });
});

it.each([
  [null, 'expected a JSON object, got null'],
  [{ source: 'a' }, /^expected source with target, .* or prompt with completion; it has source$/],
  [{ source: 'a', target: ['b'] }, 'expected target to be text, got a list'],
  [{ source: { toString: 'a' }, target: 'b' }, 'expected source to be text, got an object'],
  [{ prompt: turns, completion: 'b' }, 'expected prompt to be text, got a list'],
])('tells what was expected of %j for a source', (row, fault) => {
  const parsed = parseSourceRow(row) as { fault: string };
  if (typeof fault === 'string') expect(parsed.fault).toBe(fault);
  else expect(parsed.fault).toMatch(fault);
});

it.each([
  [[1], 'expected a JSON object, got a list'],
  [{ question: 'x', messages: null }, /^expected messages .* or text; it has question$/],
  [{ messages: [] }, 'expected messages to hold a message or more, got none'],
  [{ messages: 'Hi' }, 'expected messages to be a list of messages, got a string'],
  [{ messages: [{ role: 'pirate', content: 'Arr' }] }, /role of messages\[0\] .* got "pirate"$/],
  [{ messages: [{ role: '__proto__', content: 'Arr' }] }, /got "__proto__"$/],
  [{ messages: [{ role: 'user' }] }, 'expected the content of messages[0] to be text, got nothing'],
  [
    { messages: [{ role: 'user', content: [{ type: 'image' }] }] },
    /parts of messages\[0\] to be text, got one of type "image"/,
  ],
  [
    { conversations: [{ from: 'human', value: 3 }] },
    'expected the content of conversations[0] to be text, got a number',
  ],
  [{ instruction: 1, output: 'x' }, 'expected instruction to be text, got a number'],
])('tells what was expected of %j', (row, fault) => {
  const parsed = parseRow(row) as { fault: string };
  if (typeof fault === 'string') expect(parsed.fault).toBe(fault);
  else expect(parsed.fault).toMatch(fault);
});
