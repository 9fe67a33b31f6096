import { openPage, runtimeFiles } from '../test/browser/page.js';
import { mean, median, parseArgs, table } from './lib.js';

/** `npm run bench -- wasm [--steps 8] [--repeats 3]`: a step in Chromium's WASM, one thread, in float32 and in 8 bits, in turns. */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const steps = Number(options.steps ?? 8);
  const opened = await openPage();
  const times: Record<'fp32' | 'int8', number[]> = { fp32: [], int8: [] };
  const losses: Record<string, number> = {};
  try {
    for (let repeat = 0; repeat < Number(options.repeats ?? 3); repeat++) {
      for (const precision of ['fp32', 'int8'] as const) {
        const task = { int8: precision === 'int8', steps, web: { files: runtimeFiles } };
        const { ms, loss } = await opened.page.evaluate((given) => globalThis.timeInPage(given), task);
        times[precision].push(median(ms));
        losses[precision] = loss;
      }
    }
  } finally {
    await opened.close();
  }
  table(
    ['4×256 in Chromium, WASM, one thread', 'ms a step, medians', 'mean', '× fp32', 'loss at the end'],
    (['fp32', 'int8'] as const).map((precision) => [
      precision,
      times[precision].map((ms) => ms.toFixed(0)).join(', '),
      mean(times[precision]).toFixed(0),
      (mean(times.fp32) / mean(times[precision])).toFixed(2),
      losses[precision]!.toFixed(4),
    ]),
  );
}
