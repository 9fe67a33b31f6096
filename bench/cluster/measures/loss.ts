import { mean, percentAbove, table } from '../../lib.js';
import { type LossRun, runLoss } from '../loss-run.js';
import type { Setting } from '../settings.js';

/** A peak learning rate, and the steps of its warm-up where they are not the default's 100. */
interface Schedule {
  readonly rate: number;
  readonly warmup?: number;
}

interface Variant extends LossRun {
  readonly tries: readonly Schedule[];
}

const H25 = { name: 'H=25, moments averaged', options: '--sync-every 25 --moments average' };
const H100 = { name: 'H=100, moments kept', options: '--sync-every 100 --moments keep' };
/** All rates and warm-ups that any other tries: none may win by its schedule. */
const JOINT: Variant = {
  name: 'joint batch',
  workers: 1,
  options: '--sync-every 25 --outer average',
  tries: [{ rate: 2e-3 }, { rate: 3e-3 }, { rate: 5e-3 }, { rate: 3e-3, warmup: 800 }, { rate: 5e-3, warmup: 800 }],
  threads: 2,
};
/**
 * Of small batches AdamW makes shorter ways, which a greater rate makes up for. Replicas go apart most while the model
 * learns its first features: a warm-up longer than some rounds keeps them together.
 */
const ROUNDS: readonly Variant[] = [
  { ...H25, workers: 2, tries: [{ rate: 2e-3 }, { rate: 3e-3 }, { rate: 3e-3, warmup: 800 }] },
  { ...H100, workers: 2, tries: [{ rate: 3e-3 }, { rate: 3e-3, warmup: 800 }] },
  { ...H25, workers: 4, tries: [{ rate: 3e-3 }, { rate: 5e-3 }, { rate: 5e-3, warmup: 800 }] },
  { ...H100, workers: 4, tries: [{ rate: 2e-3 }, { rate: 3e-3 }, { rate: 3e-3, warmup: 800 }] },
];
/** With more workers rounding evens out. */
const FORMATS = ['int8', 'int4'] as const;
const PLAIN: Schedule = { rate: 3e-3 };

/** Loss after equal tokens: the best of each one's schedules, as the first seed has it, and the mean of the seeds there. */
export async function measure(setting: Setting): Promise<void> {
  const variants = [JOINT, ...ROUNDS].filter(({ workers }) => workers === 1 || setting.workers.includes(workers));
  const [first, ...others] = setting.quick ? [1] : setting.seeds;
  const chosen = new Map<Variant, { schedule: Schedule; losses: number[] }>();
  for (const variant of variants) {
    const tried: { schedule: Schedule; losses: number[] }[] = [];
    for (const schedule of variant.tries)
      tried.push({ schedule, losses: [await lossOf(setting, variant, schedule, first!)] });
    chosen.set(
      variant,
      tried.reduce((a, b) => (b.losses[0]! < a.losses[0]! ? b : a)),
    );
  }
  // All by one seed before the next: a whole table as early as can be.
  for (const seed of others)
    for (const [variant, { schedule, losses }] of chosen) losses.push(await lossOf(setting, variant, schedule, seed));

  const joint = mean(chosen.get(JOINT)!.losses);
  table(
    ['workers', 'setting', 'rates tried', 'best', 'validation loss', 'of each seed', 'against the joint batch'],
    [...chosen].map(([variant, { schedule, losses }]) => [
      variant.workers,
      variant.name,
      variant.tries.map(textOf).join(', '),
      textOf(schedule),
      mean(losses).toFixed(4),
      losses.map((loss) => loss.toFixed(4)).join(', '),
      percentAbove(mean(losses), joint),
    ]),
  );
  if (setting.workers.includes(2)) await showFormats(setting, first!);
}

/** What rounding costs: the same run, by one seed, in each format. */
async function showFormats(setting: Setting, seed: number): Promise<void> {
  const run: LossRun = { ...H100, workers: 2 };
  const plain = await lossOf(setting, run, PLAIN, seed);
  const rows = [['fp32', plain.toFixed(4), '']];
  for (const format of FORMATS) {
    const rounded = { ...run, name: `${run.name}, ${format}`, options: `${run.options} --format ${format}` };
    const loss = await lossOf(setting, rounded, PLAIN, seed);
    rows.push([format, loss.toFixed(4), percentAbove(loss, plain)]);
  }
  table([`2 workers, ${run.name}, ${textOf(PLAIN)}, seed ${seed}`, 'validation loss', 'against fp32'], rows);
}

async function lossOf(setting: Setting, run: LossRun, { rate, warmup }: Schedule, seed: number): Promise<number> {
  const key = `loss-${run.workers}-${run.name}-${rate}-${warmup === undefined ? '' : `w${warmup}-`}${seed}`;
  const options = `${run.options}${warmup === undefined ? '' : ` --warmup ${setting.quick ? 5 : warmup}`}`;
  return (await runLoss(setting, key, { ...run, options }, { tokens: 8e6, rate, seed })).val_loss;
}

const textOf = ({ rate, warmup }: Schedule) => `${rate}${warmup === undefined ? '' : ` warm-up ${warmup}`}`;
