import { createInterface } from 'node:readline';
import type { OptionsOf } from '../../base/option-table.js';
import type { GenerateOptions, Generation, GenerationResult } from '../../inference/index.js';
import type { LanguageModel } from '../../inference/language-model.js';
import {
  type ADAPTER_OPTIONS,
  type MEMORY_OPTIONS,
  type PRECISION_OPTIONS,
  SAMPLING_OPTIONS,
} from '../../inference/option-table.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';
import { loadModel, tellNotice } from './load-model.js';

export type GenerateFlags = OptionsOf<
  typeof SAMPLING_OPTIONS & typeof ADAPTER_OPTIONS & typeof PRECISION_OPTIONS & typeof MEMORY_OPTIONS
> & {
  readonly chat?: true;
};

/** Tokens of a conversation for which there is to be memory. */
const CONVERSATION = 2048;

/** Writes a text, or the answers of a conversation, as they come; Ctrl-C ends it after the token in work. */
export async function generateText(run: string, flags: GenerateFlags, context: Context): Promise<number> {
  const { output, closed } = context;
  const { precision, memory, adapter, prompt = '', maxTokens = SAMPLING_OPTIONS.maxTokens.default } = flags;
  // No token has less than a byte, and a conversation may have any length.
  const writes = flags.chat ? CONVERSATION : Buffer.byteLength(prompt) + 1 + maxTokens;
  const model = await loadModel(run, adapter, context, { ...(precision && { precision }), memory }, { writes });
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
      await write(model.generate(options), output, model.bytesPerToken);
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
    const { text, stopped } = await write(await model.chat(messages, options), output, model.bytesPerToken);
    if (stopped === 'interrupted') return;
    messages.push({ role: 'assistant', content: text });
  }
}

/** @param read bytes that each token is read for, where the layers come from files */
async function write(generation: Generation, output: Output, read = 0): Promise<GenerationResult> {
  for (const message of generation.notices) tellNotice(message, output);
  for await (const text of generation) {
    output.event({ type: 'text', text });
    output.exact(text);
  }
  output.text('\n');
  const result = await generation.result();
  const { text, tokens, promptTokens, seconds, tokensPerSecond, stopped } = result;
  if (read > 0)
    tellNotice(
      `${tokensPerSecond.toPrecision(2)} tokens a second: ${bytes(read)} of layers are read for each.`,
      output,
    );
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
