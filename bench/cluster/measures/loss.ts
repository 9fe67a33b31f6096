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
}

const variants: readonly Variant[] = [
  { name: 'joint batch', workers: 1, options: '--sync-every 25 --outer average' },
  ...([2, 4] as const).flatMap((workers) => [
    { name: 'H=25, moments averaged', workers, options: '--sync-every 25 --moments average' },
    { name: 'H=100, moments kept', workers, options: '--sync-every 100 --moments keep' },
    { name: 'H=100, moments kept, int8', workers, options: '--sync-every 100 --moments keep --format int8' },
    { name: 'H=100, moments kept, int4', workers, options: '--sync-every 100 --moments keep --format int4' },
  ]),
];

/** Loss after equal tokens beside one replica with the joint batch: the better of two rates, the mean of two seeds. */
export async function measure(setting: Setting): Promise<void> {
  const [tokens, context, rates, seeds] = setting.quick
    ? [20_000, 32, [3e-3], [1]]
    : [8e6, CONTEXT, [2e-3, 3e-3], [1, 2]];
  const results: { variant: Variant; loss: number; rate: number }[] = [];
  for (const variant of variants) {
    const byRate: { rate: number; loss: number }[] = [];
    for (const rate of rates) {
      const losses: number[] = [];
      for (const seed of seeds) losses.push(await lossOf(setting, variant, { tokens, context, rate, seed }));
      byRate.push({ rate, loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length });
    }
    const best = byRate.reduce((a, b) => (b.loss < a.loss ? b : a));
    results.push({ variant, ...best });
  }
  const joint = results[0]!.loss;
  table(
    ['workers', 'setting', 'rate', 'validation loss', 'against the joint batch'],
    results.map(({ variant, loss, rate }) => [
      variant.workers,
      variant.name,
      rate,
      loss.toFixed(4),
      `${((100 * (loss - joint)) / joint).toFixed(2)} %`,
    ]),
  );
}

interface Case {
  readonly tokens: number;
  readonly context: number;
  readonly rate: number;
  readonly seed: number;
}

async function lossOf(setting: Setting, variant: Variant, at: Case): Promise<number> {
  const { name, workers, options } = variant;
  const steps = Math.round(at.tokens / (BATCH * at.context));
  const every = `--lr ${at.rate} --seed ${at.seed} --batch-size ${BATCH / workers} --steps ${steps} --eval-every ${steps}`;
  const key = `${setting.quick ? 'quick-' : ''}loss-${workers}-${name}-${at.rate}-${at.seed}`;
  const figures = await setting.kept.once(key, () => {
    const rest = `${every} ${options} --min-workers ${workers} --no-adaptive-steps`;
    return withCluster({ start: [...narrow(setting), ...words(rest)], workers }, async (cluster) => {
      const result = await cluster.result;
      return { val_loss: Number(result.val_loss), tokens: Number(result.tokens) };
    });
  });
  return figures.val_loss;
}
