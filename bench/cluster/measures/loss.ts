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
  /** Threads of a worker; one unless given. */
  readonly threads?: number;
  /** The format whose price is measured. */
  readonly format?: 'int8' | 'int4';
}

const H25 = { name: 'H=25, moments averaged', options: '--sync-every 25 --moments average' };
const H100 = { name: 'H=100, moments kept', options: '--sync-every 100 --moments keep' };
const JOINT: Variant = { name: 'joint batch', workers: 1, options: '--sync-every 25 --outer average', threads: 2 };
const ROUNDS: readonly Variant[] = ([2, 4] as const).flatMap((workers) => [
  { ...H25, workers },
  { ...H100, workers },
]);
/** What rounding costs, with 2 workers: with more it evens out. */
const FORMATS: readonly Variant[] = (['int8', 'int4'] as const).map((format) => ({
  name: `${H100.name}, ${format}`,
  workers: 2,
  options: `${H100.options} --format ${format}`,
  format,
}));

/**
 * Loss after equal tokens, the mean of two seeds. The joint batch takes the better of two rates, as the first seed has
 * it, and the others take that one too: with a choice of their own they could only come closer.
 */
export async function measure(setting: Setting): Promise<void> {
  const [tokens, context, rates, seeds] = setting.quick
    ? [20_000, 32, [3e-3], [1]]
    : [8e6, CONTEXT, [3e-3, 2e-3], [1, 2]];
  const lossAt = (variant: Variant, rate: number, seed: number) =>
    lossOf(setting, variant, { tokens, context, rate, seed });

  const joint: { rate: number; loss: number }[] = [];
  for (const rate of rates) joint.push({ rate, loss: await lossAt(JOINT, rate, seeds[0]!) });
  const { rate } = joint.reduce((a, b) => (b.loss < a.loss ? b : a));
  const variants = [JOINT, ...ROUNDS, ...FORMATS].filter(
    ({ workers }) => workers === 1 || setting.workers.includes(workers),
  );
  // All by the first seed before the second: a whole table as early as can be.
  const losses = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
  for (const seed of seeds) for (const [variant, sofar] of losses) sofar.push(await lossAt(variant, rate, seed));

  const mean = (variant: Variant) => losses.get(variant)!.reduce((sum, loss) => sum + loss, 0) / seeds.length;
  const against = (variant: Variant, peer: Variant) =>
    `${((100 * (mean(variant) - mean(peer))) / mean(peer)).toFixed(2)} %`;
  table(
    ['workers', 'setting', 'rate', 'validation loss', 'against the joint batch', 'against fp32'],
    variants.map((variant) => [
      variant.workers,
      variant.name,
      rate,
      `${mean(variant).toFixed(4)} (${losses
        .get(variant)!
        .map((loss) => loss.toFixed(4))
        .join(', ')})`,
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
