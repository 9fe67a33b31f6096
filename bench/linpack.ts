import { type LinpackResult, runLinpack } from '../src/linpack/index.js';
import { median, type Outcome, parseArgs, table } from './lib.js';
import { findHpcc, runHpcc } from './peers/hpcc.js';

/** hpcc's blocks: of 80 (Debian's), 128, 192 and 256 the fastest here with one thread. */
const PEER_NB = 192;

/** Runs by name; those of one round come after another, so that all meet the same machine. */
type Runs = Record<string, () => Promise<Outcome>>;

/** `npm run bench -- linpack [--n 8000] [--nb 256] [--peer-nb 192] [--repeats 3] [--threads 2]` */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const n = Number(options.n ?? 8000);
  const nb = Number(options.nb ?? 256);
  const peerNb = Number(options['peer-nb'] ?? PEER_NB);
  const repeats = Number(options.repeats ?? 3);
  const threads = Number(options.threads ?? 2);

  const mine = (type: 'float64' | 'float32', count: number) => async (): Promise<Outcome> =>
    ({ ...(await runLinpack({ n, nb, threads: count, type })) }) satisfies LinpackResult & Outcome;
  const peer = findHpcc();
  const theirs = (processes: number, each: number) => async (): Promise<Outcome> =>
    'skipped' in peer ? peer : runHpcc(peer.core, { n, nb: peerNb, processes, threads: each });
  const runs: Runs = {
    'Meanfield HPL, 1 thread': mine('float64', 1),
    'hpcc HPL, 1 process × 1 thread': theirs(1, 1),
    'Meanfield HPL-MxP, 1 thread': mine('float32', 1),
    [`Meanfield HPL, ${threads} threads`]: mine('float64', threads),
    [`hpcc HPL, ${threads} processes × 1 thread`]: theirs(threads, 1),
    [`hpcc HPL, 1 process × ${threads} threads`]: theirs(1, threads),
    [`Meanfield HPL-MxP, ${threads} threads`]: mine('float32', threads),
  };
  console.log(`n ${n}, our blocks ${nb}, hpcc's ${peerNb}, ${repeats} rounds.`);
  console.log('skipped' in peer ? `hpcc: skipped (${peer.skipped})` : `${peer.about}.`);

  const outcomes = new Map(Object.keys(runs).map((name) => [name, [] as Outcome[]]));
  for (let round = 0; round < repeats; round++) {
    for (const [name, start] of Object.entries(runs)) {
      const outcome = await start();
      outcomes.get(name)!.push(outcome);
      process.stderr.write(`${name}: ${outcome.skipped ?? `${(outcome.gflops as number).toFixed(2)} GFLOP/s`}\n`);
    }
  }
  print(outcomes, threads);
}

const rates = (outcomes: readonly Outcome[]): number[] =>
  outcomes.flatMap(({ skipped, gflops }) => (skipped === undefined ? [gflops as number] : []));

function print(outcomes: ReadonlyMap<string, readonly Outcome[]>, threads: number): void {
  const rows = [...outcomes].map(([name, all]) => {
    const own = rates(all);
    if (own.length === 0) return [name, `skipped (${all[0]!.skipped})`, '', '', '', ''];
    const known = all.filter(({ skipped }) => skipped === undefined);
    const products = median(known.map(({ productGflops }) => productGflops as number).filter(Number.isFinite));
    return [
      name,
      Math.max(...own).toFixed(1),
      median(own).toFixed(1),
      median(known.map(({ seconds }) => seconds as number)).toFixed(2),
      Math.max(...known.map(({ residual }) => residual as number)).toPrecision(3),
      Number.isNaN(products) ? '' : products.toFixed(1),
    ];
  });
  table(['', 'GFLOP/s, best', 'median', 'seconds, median', 'worst residual', 'products, GFLOP/s'], rows);

  /** The median of ratios within a round: drift of the machine meets both alike. */
  const ratio = (over: string, under: string, goal: string) => {
    const [a, b] = [outcomes.get(over)!, outcomes.get(under)!];
    const pairs = a.flatMap((one, i) =>
      one.skipped === undefined && b[i]!.skipped === undefined
        ? [(one.gflops as number) / (b[i]!.gflops as number)]
        : [],
    );
    if (pairs.length > 0) console.log(`${over} / ${under}: ${median(pairs).toFixed(2)} × (goal ${goal})`);
  };
  ratio('Meanfield HPL, 1 thread', 'hpcc HPL, 1 process × 1 thread', '0.6');
  ratio('Meanfield HPL-MxP, 1 thread', 'hpcc HPL, 1 process × 1 thread', '1.0');
  ratio(`Meanfield HPL, ${threads} threads`, 'Meanfield HPL, 1 thread', '1.8');
}
