import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../lib.js';
import { longestPause, lostCommits, strayCommits } from '../figures.js';
import { withCluster } from '../live-cluster.js';
import { NEVER, narrow, type Setting, words } from '../settings.js';

const WORKERS = 4;

/** Half the workers cut off for 60 seconds: nothing is told, their lines are dead. */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const [before, cut] = quick ? [5, 8] : [20, 60];
  const figures = await kept.once(`${quick ? 'quick-' : ''}partition`, async () => {
    const options = `--lr 0.003 --seed 1 --batch-size 12 --sync-every 25 --format int8 --minutes ${(before + 2 * cut + 20) / 60}`;
    const start = [...narrow(setting), ...NEVER, ...words(`${options} --grace 2 --heartbeat-timeout 5`)];
    return withCluster({ start, workers: WORKERS }, async (cluster) => {
      await cluster.firstCommit;
      await sleep(before * 1000);
      const cutOff = cluster.machines.slice(0, WORKERS / 2);
      for (const machine of cutOff) machine.cut();
      const cutAt = performance.now();
      await sleep(cut * 1000);
      for (const machine of cutOff) machine.mend();
      const mendedAt = performance.now();
      await cluster.result;
      const during = cluster.commits.filter(({ at }) => at > cutAt && at < mendedAt);
      const whole = cluster.commits.find(({ at, event }) => at > mendedAt && event.workers.length === WORKERS);
      return {
        during: during.length,
        healed_after: whole ? (whole.at - mendedAt) / 1000 : null,
        pause: longestPause(cluster.commits) / 1000,
        lost: lostCommits(cluster.lines),
        stray: strayCommits(cluster),
      };
    });
  });
  table(
    ['cut off', 'rounds meanwhile', 'all contribute again after, s', 'longest pause, s', 'commits lost', 'split brain'],
    [
      [
        `2 of 4 for ${cut} s`,
        figures.during,
        figures.healed_after?.toFixed(1) ?? 'never',
        figures.pause.toFixed(1),
        figures.lost,
        figures.stray,
      ],
    ],
  );
}
