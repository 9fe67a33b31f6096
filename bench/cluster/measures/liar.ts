import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEADER_BYTES } from '../../../src/averaging/formats/format.js';
import { Random } from '../../../src/base/random.js';
import { startCoordinator } from '../../../src/cluster/coordinator/start.js';
import type { ModelHandle, Trained } from '../../../src/cluster/model-thread/commands.js';
import { startModelThread } from '../../../src/cluster/model-thread/member-thread.js';
import type { Work } from '../../../src/cluster/protocol/down.js';
import { startWorker } from '../../../src/cluster/worker/start.js';
import { MemoryNetwork } from '../../../src/transport/memory-transport.test-support.js';
import { percentAbove, table } from '../../lib.js';
import type { Setting } from '../settings.js';

const WORKERS = 4;
/** Of 4 contributions `median` is the mean of the middle two, as `trimmed` is: one stands for both. */
const MERGES = ['mean', 'trimmed'] as const;
/** What the one liar sends instead of its pseudo-gradient, of the same norm. */
const LIES = ['none', 'sign flipped', 'noise', "another's data"] as const;
type Lie = (typeof LIES)[number];

/**
 * 1 liar of 4 within the norms that are allowed: the loss after 2M tokens of 4×128 characters, by how contributions are
 * merged. All machines are threads of this process, over a network in memory: the arithmetic is that of real ones.
 */
export async function measure(setting: Setting): Promise<void> {
  const losses = new Map<string, number>();
  for (const lie of LIES)
    for (const merge of MERGES) {
      const name = `${setting.quick ? 'quick-' : ''}liar-${lie}-${merge}`;
      const { val_loss } = await setting.kept.once(name, () => runOne(setting, lie, merge));
      losses.set(`${lie} ${merge}`, val_loss);
    }
  const base = losses.get('none mean')!;
  const cell = (lie: Lie, merge: string) => {
    const loss = losses.get(`${lie} ${merge}`)!;
    return `${loss.toFixed(4)} (${percentAbove(loss, base)})`;
  };
  table(
    ['1 liar of 4', 'mean', 'trimmed or median'],
    [...LIES.map((lie) => [lie, ...MERGES.map((merge) => cell(lie, merge))])],
  );
}

async function runOne({ data, quick }: Setting, lie: Lie, merge: (typeof MERGES)[number]) {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-bench-liar-'));
  const network = new MemoryNetwork();
  const tiny = { layers: 1, width: 32, heads: 2, context: 32 };
  const coordinator = startCoordinator({
    train: {
      corpus: [join(data, 'train.txt')],
      ...{ tokenizer: 'chars', preset: 'micro', ...(quick && tiny), batchSize: 6, syncEvery: 25, lr: 3e-3, seed: 1 },
      ...{ tokens: quick ? 40_000 : 2e6, evalEvery: 1e6, threads: 1, run: join(folder, 'run') },
    },
    cluster: { minWorkers: WORKERS, quorum: 1, grace: 60, heartbeatTimeout: 60, adaptiveSteps: false, merge },
    connect: async () => network.connect(),
  });
  const leases: Work['lease'][] = [];
  const workers = Array.from({ length: WORKERS }, (_, i) =>
    startWorker({
      door: network.door(),
      cache: join(folder, 'cache'),
      ...({ threads: 1, device: 'cpu', host: `w${i}`, patience: 300 } as const),
      startThread: () => (i === 0 ? lying(startModelThread(), lie, leases) : watched(startModelThread(), leases)),
    }),
  );
  try {
    // What they tell is read by nobody here; a failure is the coordinator's, or ends the round for want of members.
    const ended = Promise.all(workers.map(({ result }) => result));
    const { valLoss, tokens } = await Promise.race([coordinator.result, ended.then(() => coordinator.result)]);
    return { val_loss: valLoss, tokens };
  } finally {
    for (const worker of workers) worker.leave();
    coordinator.stop();
    await Promise.allSettled([coordinator.result, ...workers.map(({ result }) => result)]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Notes which samples an honest worker trains on. */
function watched(host: ModelHandle, leases: Work['lease'][]): ModelHandle {
  const ask: ModelHandle['ask'] = (name, input, onStep) => {
    if (name === 'train') leases.push((input as Work).lease);
    return host.ask(name, input, onStep);
  };
  return { ...host, ask };
}

function lying(host: ModelHandle, lie: Lie, leases: readonly Work['lease'][]): ModelHandle {
  const random = new Random(1, 'lie');
  const ask: ModelHandle['ask'] = async (name, input, onStep) => {
    if (name !== 'train') return host.ask(name, input, onStep);
    const work = input as Work;
    const lease = lie === "another's data" ? (leases.at(-1) ?? work.lease) : work.lease;
    const samples = (of: Work['lease']) => of.reduce((sum, { start, end }) => sum + end - start, 0);
    const honest = { ...work, lease: samples(lease) === samples(work.lease) ? lease : work.lease };
    const answer = (await host.ask('train', honest, onStep)) as Trained | null;
    if (answer) for (const part of answer.parts) twist(part, lie, random);
    return answer as never;
  };
  return { ...host, ask };
}

/** Changes a part of a contribution in fp32; its norm stays. */
function twist(part: Uint8Array, lie: Lie, random: Random): void {
  if (lie !== 'sign flipped' && lie !== 'noise') return;
  const values = new Float32Array(part.buffer, part.byteOffset + HEADER_BYTES, (part.length - HEADER_BYTES) / 4);
  if (lie === 'sign flipped') {
    for (let i = 0; i < values.length; i++) values[i] = -values[i]!;
    return;
  }
  const squares = () => values.reduce((sum, value) => sum + value * value, 0);
  const before = squares();
  for (let i = 0; i < values.length; i++) values[i] = random.normal();
  const times = Math.sqrt(before / squares());
  for (let i = 0; i < values.length; i++) values[i]! *= times;
}
