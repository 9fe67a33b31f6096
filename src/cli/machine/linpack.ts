import { availableParallelism, cpus, freemem } from 'node:os';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import { type LinpackResult, linpackBytes, RESIDUAL_BOUND, runLinpack } from '../../linpack/index.js';
import {
  findList,
  predictLinpack,
  rankOf,
  type Top500Rank,
  top500Lists,
} from '../../planner/catalogue/top500/index.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { duration, grouped, table } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { LINPACK_FLAGS } from './linpack-options.js';

const USUAL_N = 8000;

/** Each benchmark's factors, and the bytes of one of their values. */
const BENCHMARKS = [
  { benchmark: 'hpl', name: 'HPL', type: 'float64', precision: 'fp64' },
  { benchmark: 'mxp', name: 'HPL-MxP', type: 'float32', precision: 'fp32, refined to fp64' },
] as const;

/** One benchmark's result, beside what the planner expects of the products that were measured with it. */
type Measured = LinpackResult & (typeof BENCHMARKS)[number] & { readonly predictedGflops: number };

/** Runs LINPACK on this machine's threads, or as many machines do. */
export async function linpack(flags: OptionsOf<typeof LINPACK_FLAGS>, context: Context): Promise<number> {
  const { machines, join } = flags;
  if (machines === undefined && join === undefined) return linpackHere(flags, context);
  const given = (names: readonly (keyof typeof LINPACK_FLAGS)[]) => names.filter((name) => flags[name] !== undefined);
  const [other] =
    join === undefined
      ? given(['threads', 'benchmark'])
      : given(['machines', 'n', 'nb', 'threads', 'host', 'port', 'patience', 'benchmark']);
  if (other !== undefined) {
    throw new UsageError(
      join === undefined
        ? `--${other} is for one machine: with --machines each solves HPL's part on one thread.`
        : `--${other} goes with the machine that coordinates: with --join its settings hold.`,
    );
  }
  const { joinLinpack, linpackOnMachines } = await import('./linpack-grid.js');
  if (join !== undefined) return joinLinpack(join, context);
  return linpackOnMachines({ ...flags, machines: machines! }, flags.n ?? USUAL_N, context);
}

async function linpackHere(flags: OptionsOf<typeof LINPACK_FLAGS>, { output, closed }: Context): Promise<number> {
  const {
    nb = LINPACK_FLAGS.nb.default,
    threads = availableParallelism(),
    benchmark: which = LINPACK_FLAGS.benchmark.default,
  } = flags;
  const chosen = BENCHMARKS.filter(({ benchmark }) => which === 'both' || which === benchmark);
  const n = flags.n ?? usualN(nb, threads);
  checkFits(n, nb, threads, chosen);
  const line = new ProgressLine(output);
  const controller = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => controller.abort());
  const signal = AbortSignal.any([controller.signal, closed]);
  const results: Measured[] = [];
  try {
    for (const benchmark of chosen) {
      const { name, type } = benchmark;
      line.show(`${name}: making the matrix and measuring products`, true);
      const onProgress = (share: number) => {
        line.show(`${name}: n ${grouped(n)}, ${(100 * share).toFixed(0)} % factored`);
        output.event({ type: 'progress', benchmark: benchmark.benchmark, share });
      };
      const result = await runLinpack({ n, nb, threads, type, onProgress, signal });
      if (!Number.isFinite(result.residual)) {
        throw new MeanfieldError(`${name} ended with values that are not finite: its result is none.`);
      }
      const predicted = predictLinpack({
        n,
        precision: type === 'float64' ? 'fp64' : 'fp32',
        products: 1e9 * result.productGflops,
      });
      results.push({ ...result, ...benchmark, predictedGflops: predicted.rate / 1e9 });
    }
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    line.end();
    interruption.release();
  }
  const hpl = results.find(({ benchmark }) => benchmark === 'hpl');
  const ranks = hpl === undefined ? [] : top500Lists.map((list) => rankOf(list, hpl.gflops / 1000));
  const rank = ranks.at(-1);
  output.event({
    type: 'result',
    processor: processor(),
    results: results.map(({ benchmark, seconds, gflops, residual, iterations, productGflops, predictedGflops }) => ({
      benchmark,
      n,
      nb,
      threads,
      seconds,
      gflops,
      residual,
      passed: residual < RESIDUAL_BOUND,
      iterations,
      product_gflops: productGflops,
      share_of_product: gflops / productGflops,
      predicted_gflops: predictedGflops,
    })),
    ...(rank && {
      top500: { list: rank.list, text: rank.text, lists: ranks.map(({ list, text }) => ({ list, text })) },
    }),
  });
  output.text(`\n${linpackText(results)}`);
  output.text(standingText(ranks));
  return results.every(({ residual }) => residual < RESIDUAL_BOUND) ? 0 : 1;
}

function processor(): string {
  return cpus()[0]?.model.trim() ?? 'unknown';
}

/** Where the rate stands: on the newest list, and on the newest whose last machine's rate is known. */
function standingText(ranks: readonly Top500Rank[]): string {
  const newest = ranks.at(-1);
  const whole = ranks.findLast(({ list }) => findList(list).entryLevel);
  const told = newest === whole ? [newest] : [newest, whole];
  const lines = told.flatMap((rank) => (rank ? [`TOP500 of ${rank.list}: ${rank.text}; ${rank.method}.\n`] : []));
  return lines.length === 0 ? '' : `\n${lines.join('')}Other machines: meanfield plan top500 --cluster NAME\n`;
}

function linpackText(results: readonly Measured[]): string {
  const { n, nb, threads } = results[0]!;
  const rows = results.map(
    ({ name, precision, gflops, predictedGflops, productGflops, residual, iterations, seconds }) => [
      name,
      precision,
      gflops.toFixed(1),
      predictedGflops.toFixed(1),
      `${((100 * gflops) / productGflops).toFixed(0)} % of ${productGflops.toFixed(1)}`,
      `${residual.toPrecision(3)} ${residual < RESIDUAL_BOUND ? 'passes' : 'FAILS'}`,
      iterations === 0 ? '' : String(iterations),
      duration(seconds),
    ],
  );
  const heads = ['', 'factors', 'GFLOP/s', 'planned', 'of products', `residual (< ${RESIDUAL_BOUND})`, 'GMRES', 'time'];
  const where = `${processor()}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, n ${grouped(n)}, blocks of ${nb}`;
  return `${where}\n\n${table([heads, ...rows], [2, 3, 6])}`;
}

/** 8,000, or less where a quarter of the free memory holds less. */
function usualN(nb: number, threads: number): number {
  let n = USUAL_N;
  while (n > 500 && linpackBytes(n, nb, threads, 'float32') > freemem() / 4) n -= 500;
  return n;
}

function checkFits(n: number, nb: number, threads: number, chosen: readonly (typeof BENCHMARKS)[number][]): void {
  if (threads > 256) throw new UsageError(`--threads: expected at most 256, got ${threads}.`);
  if (nb > n) throw new UsageError(`--nb: expected at most --n (${n}), got ${nb}.`);
  for (const { name, type } of chosen) {
    const bytes = linpackBytes(n, nb, threads, type);
    const free = freemem();
    if (bytes <= free) continue;
    const gigabytes = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
    const fits = 100 * Math.floor(Math.sqrt((free * 0.8) / (type === 'float64' ? 8 : 12)) / 100);
    throw new MeanfieldError(
      `${name} of n = ${grouped(n)} needs ${gigabytes(bytes)} (the matrix alone 8 n² = ${gigabytes(8 * n * n)}), and ` +
        `${gigabytes(free)} of this machine's memory are free. --n ${fits} fits.`,
    );
  }
}
