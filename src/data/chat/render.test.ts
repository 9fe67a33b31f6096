import { expect, it } from 'vitest';
import { LONGEST_RENDER, TemplateRun } from './render.js';
import type { ChatMessage, Conversation } from './row.js';
import { CHATML, findTemplate } from './template.js';

const turn = (role: ChatMessage['role'], content: string): ChatMessage => ({ role, content });
const talk: Conversation = {
  messages: [turn('user', 'A'), turn('assistant', 'B'), turn('user', 'C'), turn('assistant', 'D')],
  from: 0,
};
const learned = (source: string, conversation = talk) => {
  const rendered = new TemplateRun({ source, names: {} }).render({ conversation, prompt: false });
  return rendered.learned.map(({ start, end }) => rendered.text.slice(start, end));
};

it('learns the answers and what ends them, of all turns or those behind a prompt', () => {
  expect(learned(CHATML)).toEqual(['B<|im_end|>', 'D<|im_end|>']);
  expect(learned(CHATML, { ...talk, from: 2 })).toEqual(['D<|im_end|>']);
  expect(learned(CHATML, { ...talk, messages: talk.messages.slice(0, 1) })).toEqual([]);
});

it('finds turns that are written otherwise when they are not the last', () => {
  const source =
    "{% for m in messages %}[{{ m.role }}]{% if loop.last and m.role == 'assistant' %}(thought){% endif %}{{ m.content }}</>" +
    '{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}';
  expect(learned(source)).toEqual(['B</>', '(thought)D</>']);
});

it('learns nothing of a prompt that a template always ends with', () => {
  const source = '{% for m in messages %}[{{ m.role }}]{{ m.content }}</>{% endfor %}[assistant]';
  expect(learned(source)).toEqual(['B</>', 'D</>']);
});

it('learns what a template marks, and tells when that leaves the end of the turn out', () => {
  const source = (inside: string, outside: string) =>
    `{% for m in messages %}<{{ m.role }}>\n  {%- if m.role == 'assistant' %}\n    {% generation %}\n{{ m.content }}${inside}` +
    `{%- endgeneration %}${outside}{% else %}{{ m.content }}</>{% endif %}{% endfor %}` +
    '{% if add_generation_prompt %}<assistant>{% endif %}';
  expect(learned(source('</>', ''))).toEqual(['B</>', 'D</>']);
  expect(learned(source('</>', ''), { ...talk, from: 2 })).toEqual(['D</>']);
  const run = new TemplateRun({ source: source('', '</>'), names: {} });
  expect(run.render({ conversation: talk, prompt: false }).unlearnedEnd).toBe('</>');
  expect(learned(source('', '</>'))).toEqual(['B', 'D']);
});

it('sees nothing outside of the conversation, and makes no megabytes', () => {
  const render = (source: string) =>
    new TemplateRun({ source, names: {} }).render({ conversation: talk, prompt: true }).text;
  for (const reach of ['process', 'globalThis', "''.constructor", 'messages.__proto__', "''.__class__"])
    expect(() => expect(render(`{{ ${reach} }}`)).toBe('')).not.toThrow(/function/);
  const doubled = `{% set n = namespace(x='aaaaaaaa') %}{% for i in range(24) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}`;
  expect(() => render(doubled)).toThrow(`more than ${LONGEST_RENDER}`);
});

it('takes the template of a file of its own first, a named default, else ChatML; and the tokens it reads', () => {
  const config = (value: object) => JSON.stringify(value);
  const files = {
    'tokenizer_config.json': config({ chat_template: 'a', bos_token: { content: '<s>' }, eos_token: '</s>' }),
  };
  expect(findTemplate(files)).toMatchObject({
    source: 'a',
    names: { bos_token: '<s>' },
    own: true,
    begin: '',
    end: '</s>',
  });
  expect(findTemplate({ ...files, 'chat_template.jinja': 'b' }).source).toBe('b');
  const named = [
    { name: 'tool_use', template: 'c' },
    { name: 'default', template: 'd' },
  ];
  expect(findTemplate({ 'tokenizer_config.json': config({ chat_template: named }) }).source).toBe('d');
  expect(findTemplate({})).toMatchObject({ source: CHATML, own: false, end: '' });
  const added = { 'tokenizer_config.json': config({ bos_token: '<s>', add_bos_token: true }) };
  expect(findTemplate(added).begin).toBe('<s>');
  expect(() => findTemplate({ 'tokenizer_config.json': '[' })).toThrow('not valid JSON');
});
