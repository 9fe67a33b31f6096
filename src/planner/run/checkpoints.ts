/**
 * What stopping and starting costs. Times in seconds; `write` is how long a checkpoint holds the training up, `mtbf`
 * the mean time between failures of everything the run depends on, failures coming independently (Poisson).
 */
export interface Interruptions {
  readonly write: number;
  /** From a failure until training goes on: noticing, replacing, loading. The work lost comes on top. */
  readonly restart: number;
  readonly mtbf: number;
}

/** Time of training between two checkpoints that loses least, to first order: √(2·write·mtbf) (Young 1974). */
export function youngInterval({ write, mtbf }: Pick<Interruptions, 'write' | 'mtbf'>): number {
  return Math.sqrt(2 * write * mtbf);
}

/**
 * The same to higher order (Daly 2006, Future Generation Computer Systems 22:303, equation 37):
 * √(2δM)·(1 + ⅓√(δ/2M) + ⅑·δ/2M) − δ for δ < 2M, else M; δ the write, M the mean time between failures.
 */
export function dalyInterval({ write, mtbf }: Pick<Interruptions, 'write' | 'mtbf'>): number {
  if (mtbf === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (write >= 2 * mtbf) return mtbf;
  const ratio = write / (2 * mtbf);
  return Math.sqrt(2 * write * mtbf) * (1 + Math.sqrt(ratio) / 3 + ratio / 9) - write;
}

/**
 * Wall time for each second of training, checkpoints after every `interval` seconds of it: M·e^(R/M)·(e^((τ+δ)/M) − 1)/τ
 * (Daly 2006, equation 20); 1 and above. Failures may strike during writes and restarts too.
 */
export function slowdown(interval: number, { write, restart, mtbf }: Interruptions): number {
  if (mtbf === Number.POSITIVE_INFINITY) return interval === Number.POSITIVE_INFINITY ? 1 : 1 + write / interval;
  return (mtbf * Math.exp(restart / mtbf) * Math.expm1((interval + write) / mtbf)) / interval;
}
