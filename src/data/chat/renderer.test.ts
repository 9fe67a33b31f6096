import { expect, it } from 'vitest';
import { ChatRenderer } from './renderer.js';

const conversation = {
  messages: [
    { role: 'user', content: 'A' },
    { role: 'assistant', content: 'B' },
  ],
  from: 0,
} as const;
const tasks = [{ conversation, prompt: true }];
const render = async (source: string, patience = 20_000) => {
  const renderer = new ChatRenderer({ source, names: {} }, patience);
  try {
    return await renderer.render(tasks);
  } finally {
    await renderer.close();
  }
};

it('renders, tells what is wrong with a conversation, and goes on', async () => {
  const renderer = new ChatRenderer({
    source: "{{ messages[0].content }}{{ raise_exception('no') if tools }}",
    names: {},
  });
  const refused = { conversation: { ...conversation, tools: [{}] }, prompt: true };
  const [first, second] = await renderer.render([...tasks, refused]);
  expect(first).toEqual({ text: 'A', learned: [] });
  expect(second).toEqual({ fault: 'no' });
  expect(await renderer.render(tasks)).toEqual([{ text: 'A', learned: [] }]);
  await renderer.close();
  expect(await render('{% if %}')).toEqual([{ fault: expect.any(String) }]);
});

it('gives each of many calls at once its own answer, also behind one that fails', async () => {
  const endless = '{% for i in range(30000) %}{% for j in range(30000) %}{% endfor %}{% endfor %}';
  const source = `{% if messages[0].content == 'stop' %}${endless}{% endif %}{{ messages[0].content }}`;
  const renderer = new ChatRenderer({ source, names: {} }, 1000);
  const said = (content: string) =>
    renderer.render([{ conversation: { ...conversation, messages: [{ role: 'user', content }] }, prompt: true }]);
  const names = ['a', 'b', 'stop', 'c', 'd'];
  const outcomes = await Promise.allSettled(names.map(said));
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'))).toEqual(
    names.map((text) => (text === 'stop' ? 'failed' : [expect.objectContaining({ text })])),
  );
  await renderer.close();
}, 60_000);

it('ends a template that does not end, and one that takes all memory', async () => {
  const endless = "{% for i in range(30000) %}{% for j in range(30000) %}{{ '' }}{% endfor %}{% endfor %}";
  await expect(render(endless, 1000)).rejects.toThrow('not come to an end within 1 s');
  await expect(render('{{ range(400000000) | length }}')).rejects.toThrow(
    /takes more than 256 MB|Invalid array length/,
  );
});
