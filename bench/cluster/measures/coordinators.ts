import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../lib.js';
import { longestPause, lostCommits, strayCommits } from '../figures.js';
import { type LiveCluster, withCluster } from '../live-cluster.js';
import { NEVER, narrow, type Setting, words } from '../settings.js';

const WORKERS = 2;
/** Milliseconds to the server, each way, where connections are broken. */
const DELAY = 20;

/** The coordinator killed five times; the leader of three NATS servers killed twice; every connection broken. */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const prefix = quick ? 'quick-' : '';
  const [kills, leaderKills, pause] = quick ? [1, 1, 5] : [5, 2, 20];
  const coordinator = await kept.once(`${prefix}coordinator-killed`, () =>
    disturb(setting, 1, kills * pause + 20, async (cluster) => {
      for (let i = 0; i < kills; i++) {
        await sleep(pause * 1000);
        await cluster.killCoordinator();
        cluster.restartCoordinator();
      }
    }),
  );
  const leader = await kept.once(`${prefix}nats-leader-killed`, () =>
    disturb(setting, 3, leaderKills * pause + 40, async (cluster) => {
      for (let i = 0; i < leaderKills; i++) {
        await sleep(pause * 1000);
        await cluster.nats.killLeader(5000);
      }
    }),
  );
  const broken = await kept.once(`${prefix}connections-broken`, () =>
    disturb(
      setting,
      1,
      kills * pause + 20,
      async (cluster) => {
        for (let i = 0; i < kills; i++) {
          await sleep(pause * 1000);
          cluster.proxy!.breakAll();
        }
      },
      DELAY,
    ),
  );
  const row = (name: string, { finished, rounds, lost, stray, pause }: typeof leader) => [
    name,
    finished ? 'yes' : 'no',
    rounds,
    lost + stray,
    (pause / 1000).toFixed(1),
  ];
  table(
    ['', 'run finished', 'rounds', 'lost', 'longest pause, s'],
    [
      row(`coordinator killed ${kills} ×`, coordinator),
      row(`NATS leader of 3 killed ${leaderKills} ×`, leader),
      row(`${DELAY} ms away, all connections broken ${kills} ×`, broken),
    ],
  );
}

async function disturb(
  setting: Setting,
  natsServers: 1 | 3,
  seconds: number,
  trouble: (cluster: LiveCluster) => Promise<void>,
  delay = 0,
) {
  const options = `--lr 0.003 --seed 1 --batch-size 12 --sync-every 25 --format int8 --minutes ${seconds / 60}`;
  const start = [...narrow(setting), ...NEVER, ...words(`${options} --grace 2 --heartbeat-timeout 3`)];
  return withCluster({ start, workers: WORKERS, natsServers, delay }, async (cluster) => {
    await trouble(cluster);
    const finished = await cluster.result.then(
      () => true,
      () => false,
    );
    return {
      finished,
      rounds: cluster.commits.length,
      lost: lostCommits(cluster.lines),
      stray: strayCommits(cluster),
      pause: longestPause(cluster.commits),
    };
  });
}
