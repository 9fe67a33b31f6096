import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import fixture from '../../../test/fixtures/chat/rendered.json' with { type: 'json' };
import { TemplateRun } from './render.js';
import type { Conversation } from './row.js';
import { findTemplate } from './template.js';

const models = process.env.MEANFIELD_MODELS;

const runs = new Map<string, TemplateRun>();
function runOf(folder: string): TemplateRun {
  const file = join(models!, folder, 'tokenizer_config.json');
  const run =
    runs.get(folder) ?? new TemplateRun(findTemplate({ 'tokenizer_config.json': readFileSync(file, 'utf8') }));
  runs.set(folder, run);
  return run;
}
const conversationOf = (number: number) =>
  ({ messages: fixture.conversations[number], from: 0 }) as unknown as Conversation;

it.skipIf(models === undefined).each(fixture.rendered)(
  '$model, conversation $conversation, prompt $prompt: the text of Python',
  ({ folder, conversation: number, prompt, text }) => {
    const run = runOf(folder);
    const conversation = conversationOf(number);
    if (text === null) return expect(() => run.render({ conversation, prompt })).toThrow();
    const rendered = run.render({ conversation, prompt });
    expect(rendered.text).toBe(text);
    if (prompt) return expect(rendered.learned).toEqual([]);
    const learned = rendered.learned.map(({ start, end }) => rendered.text.slice(start, end));
    const answers = conversation.messages.filter(({ role }) => role === 'assistant');
    expect(learned).toHaveLength(answers.length);
    for (const [i, { content }] of answers.entries()) {
      expect(learned[i]).toContain(content.split('</think>').at(-1)!.trim());
      expect(learned[i]).toMatch(/(<\|im_end\|>|<\|eot_id\|>|<end_of_turn>)$/);
      // Nothing of a turn's header, which is given.
      expect(learned[i]).not.toMatch(/assistant|<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>/);
    }
  },
);
