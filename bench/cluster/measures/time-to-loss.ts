import { median, table } from '../../lib.js';
import type { LiveCluster } from '../live-cluster.js';
import { withCluster } from '../live-cluster.js';
import { keyOf, type Setting, wide, words } from '../settings.js';

const RATE = '100mbit';
/** Little to evaluate, as every worker here has the evaluation's core as well. */
const HELD_OUT = '--validation-fraction 0.02';

/**
 * Time to the validation loss that per-step synchronisation reaches after 300 steps, at 100 Mb/s. That loss does not
 * depend on the line, so those 300 steps run without a limit; their time is that of some steps at 100 Mb/s, times 300.
 */
export async function measure(setting: Setting): Promise<void> {
  const { kept, quick } = setting;
  const [steps, sample] = quick ? [10, 4] : [300, 16];
  const everyStep = '--sync-every 1 --outer average --moments keep';
  const rows: (string | number)[][] = [];
  for (const workers of setting.workers) {
    const name = keyOf(setting, `time-to-loss-${workers}`);
    const each = await kept.once(`${name}-every-step`, () =>
      timed(setting, workers, undefined, `${everyStep} --steps ${steps} --eval-every ${steps}`),
    );
    const { stepSeconds } = await kept.once(`${name}-step-time`, () =>
      timed(setting, workers, RATE, `${everyStep} --steps ${sample} --eval-every 100000`),
    );
    const goal = each.val_loss.toFixed(4);
    const ours = await kept.once(`${name}-rounds`, () =>
      // Four times as many steps are enough or nothing is.
      timed(
        setting,
        workers,
        RATE,
        `--sync-every 25 --moments keep --format int8 --steps ${4 * steps} --eval-every ${quick ? 10 : 25} --until-loss ${goal}`,
      ),
    );
    const reached = ours.val_loss < each.val_loss;
    const seconds = stepSeconds * steps;
    rows.push([
      workers,
      goal,
      stepSeconds.toFixed(2),
      seconds.toFixed(0),
      reached ? `${ours.seconds.toFixed(1)} (${ours.step} steps)` : 'not reached',
      reached ? (seconds / ours.seconds).toFixed(1) : '',
    ]);
  }
  table(
    ['workers', `loss after ${steps} steps`, 'a step, fp32, s', `${steps} of them, s`, 'H=25 int8, s', '× faster'],
    rows,
  );
}

async function timed(setting: Setting, workers: number, rate: string | undefined, options: string) {
  const plan = {
    start: [...wide(setting), ...words(`${options} ${HELD_OUT} --min-workers ${workers}`)],
    workers,
    ...(rate !== undefined && { rate }),
    delay: setting.delay,
  };
  return withCluster(plan, async (cluster) => {
    const result = await cluster.result;
    return {
      val_loss: Number(result.val_loss),
      step: Number(result.step),
      seconds: secondsOfRounds(cluster),
      stepSeconds: secondsOfStep(cluster),
    };
  });
}

/** From the first round's opening to the last commit: evaluations between rounds count, start-up does not. */
function secondsOfRounds({ lines, commits }: LiveCluster): number {
  const opened = lines.find(({ type }) => type === 'round-opened')!;
  return (commits.at(-1)!.at - opened.at) / 1000;
}

/** Between the commits of rounds of one step, the first ones aside: the median. */
function secondsOfStep({ commits }: LiveCluster): number {
  return median(commits.slice(3).map(({ at }, i) => (at - commits[i + 2]!.at) / 1000));
}
