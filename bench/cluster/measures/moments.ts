import { mean, percentAbove, table } from '../../lib.js';
import { type LossRun, runLoss } from '../loss-run.js';
import type { Setting } from '../settings.js';

const RATE = 3e-3;
const KEPT: LossRun = { name: 'H=25, moments kept', workers: 2, options: '--sync-every 25 --moments keep' };
const AVERAGED: LossRun = { name: 'H=25, moments averaged', workers: 2, options: '--sync-every 25 --moments average' };
/** Twice as many exchanges of half the bytes: a parameter has 4 of its own, and 2 for each averaged moment. */
const OFTENER: LossRun = { name: 'H=12, moments kept', workers: 2, options: '--sync-every 12 --moments keep' };

/** What averaged moments buy for their bytes, beside what the same bytes buy in shorter rounds. */
export async function measure(setting: Setting): Promise<void> {
  const rows: { name: string; losses: number[]; bytes: number }[] = [];
  for (const run of [KEPT, AVERAGED, OFTENER]) {
    const losses: number[] = [];
    let bytes = Number.NaN;
    for (const seed of setting.seeds) {
      const figures = await runLoss(setting, `moments-${run.name}-${seed}`, run, { tokens: 2e6, rate: RATE, seed });
      losses.push(figures.val_loss);
      bytes = figures.bytes_per_token ?? Number.NaN;
    }
    rows.push({ name: run.name, losses, bytes });
  }
  const base = mean(rows[0]!.losses);
  table(
    ['2 workers, fp32', 'bytes a token', '×', 'validation loss', 'of each seed', 'against moments kept'],
    rows.map(({ name, losses, bytes }) => [
      name,
      bytes.toFixed(0),
      (bytes / rows[0]!.bytes).toFixed(2),
      mean(losses).toFixed(4),
      losses.map((loss) => loss.toFixed(4)).join(', '),
      percentAbove(mean(losses), base),
    ]),
  );
}
