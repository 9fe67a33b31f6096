import { fileURLToPath } from 'node:url';
import { median, runJson, table } from '../../lib.js';
import { withCluster } from '../live-cluster.js';
import { startNats } from '../nats-servers.js';
import { createNetwork } from '../network.js';
import type { PlainTask } from '../plain-exchange.js';
import { NEVER, type Setting, words } from '../settings.js';

const WORKERS = 2;
/** Rounds of plain JetStream that count: machines here are noisy. */
const PLAIN_ROUNDS = 4;
const PHASES = ['upload', 'reduce', 'commit', 'gather'] as const;

/**
 * 500 MB of parameters in fp32, two workers: one exchange, from the end of the steps until all hold the result and the
 * coordinator's disk has it, beside the same bytes through plain JetStream.
 */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const prefix = quick ? 'quick-' : '';
  const ours = await kept.once(`${prefix}exchange`, () => exchange(setting));
  const plain = await kept.once(`${prefix}exchange-plain`, () => plainly(ours));
  const bytes = [mega(ours.sent), mega(ours.received), mega(4 * ours.parameters)];
  table(
    ['', 'parameters', 'each worker sent, MB', 'received, MB', 'coordinator received, MB', 'seconds', 'share'],
    [
      ['exchange', ours.parameters, ...bytes, ours.seconds.toFixed(2), share(plain, ours)],
      ['plain JetStream', '', ...bytes, plain.seconds.toFixed(2), ''],
    ],
  );
  console.log(PHASES.map((name) => `${name} ${ours.phases[name]!.toFixed(2)} s`).join(', '));
}

/** The phases of an exchange, the medians of some rounds. @param options of the run, beside its own */
export function exchange({ quick, data }: Setting, options = '', build?: string) {
  // One wide layer and few tokens: much to exchange, little to compute.
  const size = quick ? '--width 256 --heads 4' : '--width 3264 --heads 32';
  const model = `--model gpt2 --layers 1 ${size} --context 8 --tokenizer bytes --batch-size 1 --sync-every 1 --steps 6 --validation-fraction 0.0005`;
  const rest = words(`--moments keep --min-workers ${WORKERS} ${options}`);
  const start = [`${data}/train.txt`, ...words(model), ...NEVER, ...rest];
  return withCluster({ start, workers: WORKERS, build }, async ({ commits, lines, result }) => {
    await result;
    const steady = commits.slice(2);
    const phase = (name: (typeof PHASES)[number]) => median(steady.map(({ event }) => event.seconds[name]));
    const phases = Object.fromEntries(PHASES.map((name) => [name, phase(name)]));
    const spent = steady.map(({ event: { seconds } }) => PHASES.reduce((sum, name) => sum + seconds[name], 0));
    const bytes = (key: 'sent' | 'received') =>
      (commits.at(-1)!.traffic[key] - commits[1]!.traffic[key]) / steady.length / WORKERS;
    const parameters = Number(lines.find(({ type }) => type === 'started')?.parameters);
    const rounds = median(steady.map(({ event }) => event.seconds.round));
    return { parameters, phases, seconds: median(spent), rounds, sent: bytes('sent'), received: bytes('received') };
  });
}

/**
 * The same bytes, one after the other as an exchange must: all in, then all out, to the coordinator as well; the slowest
 * process counts.
 */
async function plainly({ sent, received, parameters }: Record<'sent' | 'received' | 'parameters', number>) {
  const network = createNetwork();
  const machines = Array.from({ length: 1 + WORKERS + 1 }, () => network.add());
  const nats = await startNats(machines.slice(0, 1));
  try {
    const seconds: number[] = [];
    for (let round = 0; round <= PLAIN_ROUNDS; round++) {
      const tasks = machines.slice(1).map(({ prefix }, i) => {
        const task: PlainTask = {
          server: nats.urls[0]!,
          name: `w${i}`,
          create: i === 0 && round === 0,
          put: i < WORKERS ? sent : 0,
          get: i < WORKERS ? received : 4 * parameters,
          // The coordinator has stored nothing: it gets what the first worker has.
          from: `w${i % WORKERS}`,
          stored: sent,
        };
        const words = [...prefix, process.execPath, fileURLToPath(new URL('plain-exchange.js', import.meta.url))];
        return () => runJson(words[0]!, [...words.slice(1), JSON.stringify(task)]);
      });
      // The first makes the stream: it starts alone once, and that round does not count.
      const outcomes = round === 0 ? [await tasks[0]!()] : await Promise.all(tasks.map((task) => task()));
      for (const { skipped } of outcomes) if (skipped !== undefined) throw new Error(`plain JetStream: ${skipped}`);
      if (round > 0) seconds.push(Math.max(...outcomes.map(({ put, get }) => Number(put) + Number(get))));
    }
    return { seconds: median(seconds) };
  } finally {
    await nats.remove();
    network.remove();
  }
}

const mega = (bytes: number) => (bytes / 1e6).toFixed(0);
const share = (plain: { readonly seconds: number }, ours: { readonly seconds: number }) =>
  `${((100 * plain.seconds) / ours.seconds).toFixed(0)} %`;
