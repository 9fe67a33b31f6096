import { table } from '../../lib.js';
import type { LiveCluster } from '../live-cluster.js';
import { withCluster } from '../live-cluster.js';
import { keyOf, type Setting, wide, words } from '../settings.js';

const RATE = '100mbit';

/** Time to the validation loss that per-step synchronisation reaches after 300 steps, at 100 Mb/s. */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const steps = quick ? 10 : 300;
  const rows: (string | number)[][] = [];
  for (const workers of [2, 4]) {
    const name = keyOf(setting, `time-to-loss-${workers}`);
    const each = await kept.once(`${name}-every-step`, () =>
      timed(setting, workers, `--sync-every 1 --outer average --moments keep --steps ${steps} --eval-every ${steps}`),
    );
    const goal = each.val_loss.toFixed(4);
    const ours = await kept.once(`${name}-rounds`, () =>
      // Four times as many steps are enough or nothing is.
      timed(
        setting,
        workers,
        `--sync-every 25 --moments keep --format int8 --steps ${4 * steps} --eval-every ${quick ? 10 : 25} --until-loss ${goal}`,
      ),
    );
    const reached = ours.val_loss < each.val_loss;
    rows.push([
      workers,
      goal,
      each.seconds.toFixed(1),
      reached ? ours.seconds.toFixed(1) : 'not reached',
      reached ? (each.seconds / ours.seconds).toFixed(1) : '',
    ]);
  }
  table(['workers', 'loss after 300 steps', 'per step fp32, s', 'H=25 int8, s', '× faster'], rows);
}

async function timed(setting: Setting, workers: number, options: string) {
  const plan = {
    start: [...wide(setting), ...words(`${options} --min-workers ${workers}`)],
    workers,
    rate: RATE,
    delay: setting.delay,
  };
  return withCluster(plan, async (cluster) => {
    const result = await cluster.result;
    return { val_loss: Number(result.val_loss), step: Number(result.step), seconds: secondsOfRounds(cluster) };
  });
}

/** From the first round's opening to the last commit: evaluations between rounds count, start-up does not. */
function secondsOfRounds({ lines, commits }: LiveCluster): number {
  const opened = lines.find(({ type }) => type === 'round-opened')!;
  return (commits.at(-1)!.at - opened.at) / 1000;
}
