import { fileURLToPath } from 'node:url';
import { median, runJson, table } from '../../lib.js';
import { withCluster } from '../live-cluster.js';
import { startNats } from '../nats-servers.js';
import { createNetwork } from '../network.js';
import type { PlainTask } from '../plain-exchange.js';
import { NEVER, type Setting, words } from '../settings.js';

const WORKERS = 2;

/** 500 MB of parameters in fp32, two workers: one exchange beside the same bytes through plain JetStream. */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick, data } = setting;
  const prefix = quick ? 'quick-' : '';
  const ours = await kept.once(`${prefix}exchange`, () => {
    // One wide layer and few tokens: much to exchange, little to compute.
    const size = quick ? '--width 256 --heads 4' : '--width 3264 --heads 32';
    const model = `--model gpt2 --layers 1 ${size} --context 8 --tokenizer bytes --batch-size 1 --sync-every 1 --steps 6 --validation-fraction 0.0005`;
    const start = [`${data}/train.txt`, ...words(model), ...NEVER, ...words(`--moments keep --min-workers ${WORKERS}`)];
    return withCluster({ start, workers: WORKERS }, async ({ commits, lines, result }) => {
      await result;
      const steady = commits.slice(2);
      const spent = steady.map(({ event: { seconds } }) => seconds.upload + seconds.reduce + seconds.gather);
      const bytes = (key: 'sent' | 'received') =>
        (commits.at(-1)!.traffic[key] - commits[1]!.traffic[key]) / steady.length / WORKERS;
      const parameters = Number(lines.find(({ type }) => type === 'started')?.parameters);
      return { parameters, seconds: median(spent), sent: bytes('sent'), received: bytes('received') };
    });
  });
  const plain = await kept.once(`${prefix}exchange-plain`, () => plainly(ours));
  table(
    ['', 'parameters', 'each worker sent, MB', 'received, MB', 'seconds', 'of plain JetStream'],
    [
      ['exchange', ours.parameters, mega(ours.sent), mega(ours.received), ours.seconds.toFixed(2), share(plain, ours)],
      ['plain JetStream', '', mega(ours.sent), mega(ours.received), plain.seconds.toFixed(2), ''],
    ],
  );
}

/** The same bytes, one after the other as an exchange must: all in, then all out; the slower process counts. */
async function plainly({ sent, received }: { readonly sent: number; readonly received: number }) {
  const network = createNetwork();
  const machines = [network.add(), network.add(), network.add()];
  const nats = await startNats(machines.slice(0, 1));
  try {
    const seconds: number[] = [];
    for (let round = 0; round < 3; round++) {
      const tasks = machines.slice(1).map(({ prefix }, i) => {
        const task: PlainTask = {
          server: nats.urls[0]!,
          name: `w${i}`,
          create: i === 0 && round === 0,
          put: sent,
          get: received,
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
