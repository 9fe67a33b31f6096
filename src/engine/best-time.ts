/**
 * The best time of several runs, in milliseconds, after one that warms up: three runs, or as many as a second holds; of a
 * device that is slow beyond use, one.
 *
 * @param now milliseconds of a steady clock
 */
export async function bestTime(now: () => number, run: () => Promise<unknown>): Promise<number> {
  await run();
  const begin = now();
  let best = Number.POSITIVE_INFINITY;
  for (let runs = 0; now() - begin < (runs < 3 ? 8000 : 1000) || runs === 0; runs++) {
    const before = now();
    await run();
    best = Math.min(best, now() - before);
  }
  return best;
}
