import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../../src/base/random.js';
import { percentAbove, table } from '../../lib.js';
import { lostCommits, strayCommits, tokensAfter, tokensComputed } from '../figures.js';
import { type LiveCluster, withCluster } from '../live-cluster.js';
import type { Program } from '../program.js';
import { NEVER, narrow, type Setting, words } from '../settings.js';

const WORKERS = 4;

interface Times {
  readonly minutes: number;
  readonly every: number;
}

/** kill -9 of a random worker every 30 s for `setting.minutes`, beside the same run left in peace. */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const times: Times = quick ? { minutes: 0.5, every: 8 } : { minutes: setting.minutes, every: 30 };
  const prefix = quick ? 'quick-' : '';
  const calm = await kept.once(`${prefix}deaths-${times.minutes}-calm`, () => run(setting, times, false));
  const killed = await kept.once(`${prefix}deaths-${times.minutes}-killed`, () => run(setting, times, true));
  const row = (name: string, figures: typeof calm) => [
    name,
    figures.kills,
    figures.committed,
    `${((100 * figures.committed) / figures.computed).toFixed(1)} %`,
    `${((100 * figures.committed) / calm.committed).toFixed(1)} %`,
    figures.val_loss.toFixed(4),
    percentAbove(figures.val_loss, calm.val_loss),
    figures.mean_round_seconds.toFixed(2),
    figures.differed,
    figures.lost + figures.stray,
  ];
  table(
    [
      'run',
      'kills',
      'tokens committed',
      'goodput',
      'of the calm run',
      'loss',
      'against calm',
      's a round',
      'hashes that differed',
      'commits lost',
    ],
    [row(`in peace, ${times.minutes} min`, calm), row(`a worker killed every ${times.every} s`, killed)],
  );
}

async function run(setting: Setting, { minutes, every }: Times, kill: boolean) {
  const options = `--lr 0.003 --seed 1 --batch-size 12 --sync-every 14 --format int8 --minutes ${minutes}`;
  const start = [...narrow(setting), ...NEVER, ...words(`${options} --quorum 0.75 --grace 3 --heartbeat-timeout 1`)];
  return withCluster({ start, workers: WORKERS }, async (cluster) => {
    const killed = new Map<Program, number>();
    let over = false;
    const end = cluster.result.finally(() => {
      over = true;
    });
    const killing = kill ? killInTurn(cluster, every, killed, () => over) : undefined;
    const result = await end;
    await killing;
    // Workers hear of the end and tell what they did.
    await Promise.race([Promise.allSettled(cluster.workers.map(({ done }) => done)), sleep(30_000)]);
    const rounds = cluster.commits.map(({ event }) => event.seconds.round);
    return {
      val_loss: Number(result.val_loss),
      committed: tokensAfter(cluster.commits, 0),
      computed: Math.round(tokensComputed(cluster.everyWorker, killed)),
      kills: killed.size,
      mean_round_seconds: rounds.reduce((sum, seconds) => sum + seconds, 0) / rounds.length,
      // A worker whose parameters differ from the committed ones is told so, by a refusal or an eviction.
      differed: cluster.lines.filter(({ type, code }) => type === 'refused' && code === 'wrong-base').length,
      lost: lostCommits(cluster.lines),
      stray: strayCommits(cluster),
    };
  });
}

async function killInTurn(
  cluster: LiveCluster,
  every: number,
  killed: Map<Program, number>,
  over: () => boolean,
): Promise<void> {
  const random = new Random(1, 'deaths');
  for (;;) {
    for (let waited = 0; waited < every * 10; waited++) {
      if (over()) return;
      await sleep(100);
    }
    const i = random.below(cluster.workers.length);
    const victim = cluster.workers[i]!;
    victim.kill('SIGKILL');
    killed.set(victim, performance.now());
    await victim.done;
    cluster.restartWorker(i);
  }
}
