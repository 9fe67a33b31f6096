import { createInterface } from 'node:readline';
import type { OptionsOf } from '../../base/option-table.js';
import type { GenerateOptions, Generation, GenerationResult } from '../../inference/index.js';
import type { LanguageModel } from '../../inference/language-model.js';
import { type ADAPTER_OPTIONS, type PRECISION_OPTIONS, SAMPLING_OPTIONS } from '../../inference/option-table.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { onInterrupt } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';
import { loadModel, tellNotice } from './load-model.js';

export type GenerateFlags = OptionsOf<typeof SAMPLING_OPTIONS & typeof ADAPTER_OPTIONS & typeof PRECISION_OPTIONS> & {
  readonly chat?: true;
};

/** Writes a text, or the answers of a conversation, as they come; Ctrl-C ends it after the token in work. */
export async function generateText(run: string, flags: GenerateFlags, context: Context): Promise<number> {
  const { output, closed } = context;
  const model = await loadModel(run, flags.adapter, context, flags.precision);
  if (!model) return INTERRUPTED;
  const stopping = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => stopping.abort());
  closed.addEventListener('abort', () => stopping.abort());
  try {
    const options = { ...pickOptions(SAMPLING_OPTIONS, flags), signal: stopping.signal };
    if (flags.chat) await converse(model, options, flags.prompt, output);
    else {
      // A source is not what is continued.
      if (!model.readsSource) output.exact(flags.prompt ?? '');
      await write(model.generate(options), output);
    }
    return interruption.requested || closed.aborted ? INTERRUPTED : 0;
  } finally {
    interruption.release();
    await model.close();
  }
}

/** Answers one message, or the lines of standard input one after another, each with all before it in mind. */
async function converse(
  model: LanguageModel,
  { prompt: _prompt, ...options }: GenerateOptions,
  prompt: string | undefined,
  output: Output,
): Promise<void> {
  const messages: { role: string; content: string }[] = [];
  const lines = prompt === undefined ? createInterface({ input: process.stdin }) : [prompt];
  for await (const content of lines) {
    if (content.trim() === '') continue;
    messages.push({ role: 'user', content });
    const { text, stopped } = await write(await model.chat(messages, options), output);
    if (stopped === 'interrupted') return;
    messages.push({ role: 'assistant', content: text });
  }
}

async function write(generation: Generation, output: Output): Promise<GenerationResult> {
  for (const message of generation.notices) tellNotice(message, output);
  for await (const text of generation) {
    output.event({ type: 'text', text });
    output.exact(text);
  }
  output.text('\n');
  const result = await generation.result();
  const { text, tokens, promptTokens, seconds, tokensPerSecond, stopped } = result;
  output.event({
    type: 'result',
    text,
    tokens,
    prompt_tokens: promptTokens,
    seconds,
    tokens_per_second: tokensPerSecond,
    stopped,
  });
  return result;
}
