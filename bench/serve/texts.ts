import { median, type Outcome, root } from '../lib.js';
import { startServing } from '../soak/serving.js';
import type { Sizes } from './text-peers.js';

/** Our server's figures: seconds from its start to its first answer, tokens a second of one stream and of many, seconds to a first token. */
export async function servedText(model: string, precision: string, sizes: Sizes): Promise<Outcome> {
  const { threads, rounds, streams, prompt, tokens, long } = sizes;
  const began = performance.now();
  const serving = await startServing(`${root}dist/cli.js`, [
    ...[model, '--precision', precision, '--threads', String(threads)],
  ]);
  try {
    await ask(serving.url, 8, 1, 0);
    const start = (performance.now() - began) / 1000;
    const [one, many, first]: [number[], number[], number[]] = [[], [], []];
    for (let round = 1; round <= rounds; round++) {
      one.push(tokens / (await seconds(() => ask(serving.url, prompt, tokens, round))));
      const seeds = Array.from({ length: streams }, (_, i) => 100 * round + i);
      const together = await seconds(() => Promise.all(seeds.map((seed) => ask(serving.url, prompt, tokens, seed))));
      many.push((streams * tokens) / together);
      first.push(await seconds(() => ask(serving.url, long, 1, round)));
    }
    return { start, one: median(one), many: median(many), first: median(first) };
  } finally {
    await serving.stop();
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** A completion of so many tokens after a prompt that no other has begun with. */
async function ask(url: string, length: number, tokens: number, seed: number): Promise<void> {
  const prompt = Array.from({ length }, (_, i) => 1000 + ((i * 7919 + seed * 104_729) % 20_000));
  const body = JSON.stringify({ prompt, max_tokens: tokens, temperature: 0, ignore_eos: true });
  const response = await fetch(`${url}/v1/completions`, { method: 'POST', body });
  const { usage } = (await response.json()) as { usage?: { completion_tokens: number } };
  if (usage?.completion_tokens !== tokens) throw new Error(`Expected ${tokens} tokens, got ${JSON.stringify(usage)}.`);
}
