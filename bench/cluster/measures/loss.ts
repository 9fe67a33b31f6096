import { table } from '../../lib.js';
import { withCluster } from '../live-cluster.js';
import { narrow, type Setting, words } from '../settings.js';

/** Sequences of a step, over all workers: the joint batch is what one replica takes. */
const BATCH = 24;
const CONTEXT = 64;

interface Variant {
  readonly name: string;
  readonly workers: 1 | 2 | 4;
  readonly options: string;
  /** Peak learning rates that are tried. */
  readonly rates: readonly number[];
  /** Threads of a worker; one unless given. */
  readonly threads?: number;
  /** The format whose price is measured. */
  readonly format?: 'int8' | 'int4';
}

const H25 = { name: 'H=25, moments averaged', options: '--sync-every 25 --moments average' };
const H100 = { name: 'H=100, moments kept', options: '--sync-every 100 --moments keep' };
/** All rates that any other tries: none may win by its rate. */
const JOINT: Variant = {
  name: 'joint batch',
  workers: 1,
  options: '--sync-every 25 --outer average',
  rates: [2e-3, 3e-3, 5e-3],
  threads: 2,
};
const ROUNDS: readonly Variant[] = [
  { ...H25, workers: 2, rates: [2e-3, 3e-3] },
  { ...H100, workers: 2, rates: [3e-3] },
  // Of small batches AdamW makes shorter ways: a greater rate makes up for that, unless rounds are long.
  { ...H25, workers: 4, rates: [3e-3, 5e-3] },
  { ...H100, workers: 4, rates: [2e-3, 3e-3] },
];
/** What rounding costs, with 2 workers: with more it evens out. */
const FORMATS: readonly Variant[] = (['int8', 'int4'] as const).map((format) => ({
  name: `${H100.name}, ${format}`,
  workers: 2,
  options: `${H100.options} --format ${format}`,
  rates: [3e-3],
  format,
}));

/** Loss after equal tokens: the best of each one's rates, as the first seed has it, and the mean of the seeds there. */
export async function measure(setting: Setting): Promise<void> {
  const [tokens, context] = setting.quick ? [20_000, 32] : [8e6, CONTEXT];
  const lossAt = (variant: Variant, rate: number, seed: number) =>
    lossOf(setting, variant, { tokens, context, rate, seed });
  const variants = [JOINT, ...ROUNDS, ...FORMATS].filter(
    ({ workers }) => workers === 1 || setting.workers.includes(workers),
  );
  const [first, ...others] = setting.quick ? [1] : setting.seeds;
  const chosen = new Map<Variant, { rate: number; losses: number[] }>();
  for (const variant of variants) {
    const tried: { rate: number; losses: number[] }[] = [];
    for (const rate of variant.rates) tried.push({ rate, losses: [await lossAt(variant, rate, first!)] });
    chosen.set(
      variant,
      tried.reduce((a, b) => (b.losses[0]! < a.losses[0]! ? b : a)),
    );
  }
  // All by one seed before the next: a whole table as early as can be.
  for (const seed of others)
    for (const [variant, { rate, losses }] of chosen) losses.push(await lossAt(variant, rate, seed));

  const mean = (variant: Variant) => {
    const { losses } = chosen.get(variant)!;
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  };
  const against = (variant: Variant, peer: Variant) =>
    `${((100 * (mean(variant) - mean(peer))) / mean(peer)).toFixed(2)} %`;
  const shown = (values: readonly number[]) => values.map((loss) => loss.toFixed(4)).join(', ');
  table(
    ['workers', 'setting', 'rates', 'best', 'validation loss', 'of each seed', 'against the joint batch', 'fp32'],
    [...chosen].map(([variant, { rate, losses }]) => [
      variant.workers,
      variant.name,
      variant.rates.join(', '),
      rate,
      mean(variant).toFixed(4),
      shown(losses),
      against(variant, JOINT),
      variant.format ? against(variant, plainOf(variant)) : '',
    ]),
  );
}

const plainOf = ({ workers }: Variant) =>
  ROUNDS.find((variant) => variant.workers === workers && variant.name === H100.name)!;

interface Case {
  readonly tokens: number;
  readonly context: number;
  readonly rate: number;
  readonly seed: number;
}

async function lossOf(setting: Setting, variant: Variant, at: Case): Promise<number> {
  const { name, workers, options, threads = 1 } = variant;
  const steps = Math.round(at.tokens / (BATCH * at.context));
  const every = `--lr ${at.rate} --seed ${at.seed} --batch-size ${BATCH / workers} --steps ${steps} --eval-every ${steps}`;
  const key = `${setting.quick ? 'quick-' : ''}loss-${workers}-${name}-${at.rate}-${at.seed}`;
  const figures = await setting.kept.once(key, () => {
    const rest = `${every} ${options} --min-workers ${workers} --no-adaptive-steps`;
    const start = [...narrow(setting), ...words(rest)];
    return withCluster({ start, workers, join: words(`--threads ${threads}`) }, async (cluster) => {
      const result = await cluster.result;
      return { val_loss: Number(result.val_loss), tokens: Number(result.tokens) };
    });
  });
  return figures.val_loss;
}
