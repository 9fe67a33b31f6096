/** Enough requests at once to fill a line of long delay. */
const AT_ONCE = 8;

/**
 * The results in order. A few are under way at a time, begun in order; none begins after a failure, and the first
 * failure is thrown when all that began have ended.
 */
export async function inParallel<T, R>(
  items: Iterable<T>,
  work: (item: T, i: number) => Promise<R>,
  atOnce = AT_ONCE,
): Promise<R[]> {
  const results: R[] = [];
  const left = items[Symbol.iterator]();
  let begun = 0;
  let failed = false;
  const lane = async () => {
    for (let next = left.next(); !failed && !next.done; next = left.next()) {
      const i = begun++;
      try {
        results[i] = await work(next.value, i);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  for (const one of lanes) if (one.status === 'rejected') throw one.reason;
  return results;
}
