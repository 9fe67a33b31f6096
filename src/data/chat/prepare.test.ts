import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareChat } from './prepare.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-prepare-chat-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('refuses a template by which a model would never learn to stop, but for rows that it does not write', async () => {
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
  ];
  const prepare = async (name: string, rows: readonly unknown[]) => {
    const file = join(folder, `${name}.jsonl`);
    await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
    const made = await prepareChat({
      ...settings,
      paths: [file],
      folder: join(folder, `${name}-own`),
      tokenizer: 'bytes',
    });
    made.train.close();
    made.validation.close();
    return prepareChat({
      ...settings,
      paths: [file],
      folder: join(folder, name),
      tokenizer: { ...made.files, ...endless },
    });
  };
  const settings = { validationFraction: 0.1, longest: 100 };
  const endless = { 'chat_template.jinja': '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}' };
  await expect(prepare('chats', [{ messages }, { messages }])).rejects.toThrow(
    /nothing but blanks ends a turn .* would never learn to stop\. Close turns in the model's chat_template\.jinja/,
  );
  const pairs = ['a', 'b'].map((prompt) => ({ prompt, completion: 'Hello' }));
  const made = await prepare('pairs', pairs);
  expect(made.statistics.rows).toBe(2);
  made.train.close();
  made.validation.close();
});
