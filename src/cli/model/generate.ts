import type { OptionsOf } from '../../base/option-table.js';
import { load } from '../../inference/load.js';
import { SAMPLING_OPTIONS } from '../../inference/option-table.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { onInterrupt } from '../terminal/interrupt.js';

export type GenerateFlags = OptionsOf<typeof SAMPLING_OPTIONS>;

/** Writes a text as it comes; Ctrl-C ends it after the token in work. */
export async function generateText(run: string, flags: GenerateFlags, context: Context): Promise<number> {
  const { output, closed } = context;
  const model = await load(run);
  const stopping = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => stopping.abort());
  closed.addEventListener('abort', () => stopping.abort());
  try {
    const generation = model.generate({ ...pickOptions(SAMPLING_OPTIONS, flags), signal: stopping.signal });
    for (const message of [...model.notices, ...generation.notices]) {
      output.event({ type: 'notice', message });
      output.note(`note: ${message}\n`);
    }
    output.exact(flags.prompt ?? '');
    for await (const text of generation) {
      output.event({ type: 'text', text });
      output.exact(text);
    }
    output.text('\n');
    const { text, tokens, promptTokens, seconds, tokensPerSecond, stopped } = await generation.result();
    output.event({
      type: 'result',
      text,
      tokens,
      prompt_tokens: promptTokens,
      seconds,
      tokens_per_second: tokensPerSecond,
      stopped,
    });
    return interruption.requested || closed.aborted ? INTERRUPTED : 0;
  } finally {
    interruption.release();
    await model.close();
  }
}
