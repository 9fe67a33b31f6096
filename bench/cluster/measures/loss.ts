import { table } from '../../lib.js';
import { type LossRun, runLoss } from '../loss-run.js';
import type { Setting } from '../settings.js';

/** A peak learning rate, and the steps of its warm-up where they are not the default's 100. */
interface Schedule {
  readonly rate: number;
  readonly warmup?: number;
}

interface Variant extends LossRun {
  readonly tries: readonly Schedule[];
  /** The format whose price is measured. */
  readonly format?: 'int8' | 'int4';
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
 * learns its first features: with four, a warm-up longer than some rounds keeps them together.
 */
const ROUNDS: readonly Variant[] = [
  { ...H25, workers: 2, tries: [{ rate: 2e-3 }, { rate: 3e-3 }] },
  { ...H100, workers: 2, tries: [{ rate: 3e-3 }] },
  { ...H25, workers: 4, tries: [{ rate: 3e-3 }, { rate: 5e-3 }, { rate: 5e-3, warmup: 800 }] },
  { ...H100, workers: 4, tries: [{ rate: 2e-3 }, { rate: 3e-3 }, { rate: 3e-3, warmup: 800 }] },
];
/** What rounding costs, with 2 workers: with more it evens out. */
const FORMATS: readonly Variant[] = (['int8', 'int4'] as const).map((format) => ({
  name: `${H100.name}, ${format}`,
  workers: 2,
  options: `${H100.options} --format ${format}`,
  tries: [{ rate: 3e-3 }],
  format,
}));

/** Loss after equal tokens: the best of each one's schedules, as the first seed has it, and the mean of the seeds there. */
export async function measure(setting: Setting): Promise<void> {
  const variants = [JOINT, ...ROUNDS, ...FORMATS].filter(
    ({ workers }) => workers === 1 || setting.workers.includes(workers),
  );
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

  const mean = (variant: Variant) => {
    const { losses } = chosen.get(variant)!;
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };
  const against = (variant: Variant, peer: Variant) =>
    `${((100 * (mean(variant) - mean(peer))) / mean(peer)).toFixed(2)} %`;
  const shown = (values: readonly number[]) => values.map((loss) => loss.toFixed(4)).join(', ');
  table(
    ['workers', 'setting', 'rates tried', 'best', 'validation loss', 'of each seed', 'against the joint batch', 'fp32'],
    [...chosen].map(([variant, { schedule, losses }]) => [
      variant.workers,
      variant.name,
      variant.tries.map(textOf).join(', '),
      textOf(schedule),
      mean(variant).toFixed(4),
      shown(losses),
      against(variant, JOINT),
      variant.format ? against(variant, plainOf(variant)) : '',
    ]),
  );
}

const plainOf = ({ workers }: Variant) =>
  ROUNDS.find((variant) => variant.workers === workers && variant.name === H100.name)!;

async function lossOf(setting: Setting, variant: Variant, { rate, warmup }: Schedule, seed: number): Promise<number> {
  const key = `loss-${variant.workers}-${variant.name}-${rate}-${warmup === undefined ? '' : `w${warmup}-`}${seed}`;
  const options = `${variant.options}${warmup === undefined ? '' : ` --warmup ${setting.quick ? 5 : warmup}`}`;
  return (await runLoss(setting, key, { ...variant, options }, { tokens: 8e6, rate, seed })).val_loss;
}

const textOf = ({ rate, warmup }: Schedule) => `${rate}${warmup === undefined ? '' : ` warm-up ${warmup}`}`;
