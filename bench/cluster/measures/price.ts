import { join, resolve } from 'node:path';
import { median, percentAbove, table } from '../../lib.js';
import type { Setting } from '../settings.js';
import { exchange } from './exchange.js';

/** Runs of each, in turn: machines here are noisy. */
const TURNS = 3;

/**
 * The exchange of 500 MB by this build, with and without double sums, beside that of another build, which `--base` names
 * by its checkout's folder.
 */
export async function measure(setting: Setting): Promise<void> {
  const { base, kept, quick } = setting;
  if (base === undefined) {
    console.log('Skipped: --base FOLDER, a built checkout of the commit to compare with, was not given.');
    return;
  }
  const ways = [
    { name: 'before', options: '', build: join(resolve(base), 'dist/cli.js') },
    { name: 'now', options: '', build: undefined },
    { name: 'now, double sums', options: '--double-sums', build: undefined },
  ];
  const found = new Map<string, { seconds: number[]; rounds: number[] }>();
  for (let turn = 0; turn < (quick ? 1 : TURNS); turn++)
    for (const { name, options, build } of ways) {
      const key = `${quick ? 'quick-' : ''}price-${name}-${turn}`;
      const { seconds, rounds } = await kept.once(key, () => exchange(setting, options, build));
      const all = found.get(name) ?? { seconds: [], rounds: [] };
      found.set(name, { seconds: [...all.seconds, seconds], rounds: [...all.rounds, rounds] });
    }
  const [first] = [...found.values()].map((one) => ({ seconds: median(one.seconds), rounds: median(one.rounds) }));
  table(
    ['build', 'exchange, s', 'against before', 'a round, s', 'against before'],
    [...found].map(([name, one]) => {
      const [seconds, rounds] = [median(one.seconds), median(one.rounds)];
      const above = [percentAbove(seconds, first!.seconds), percentAbove(rounds, first!.rounds)];
      return [name, seconds.toFixed(2), above[0]!, rounds.toFixed(2), above[1]!];
    }),
  );
}
