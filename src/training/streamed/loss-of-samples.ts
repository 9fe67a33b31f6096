import type { HostArray } from '../../engine/engine.js';
import type { Objective } from '../../objectives/objective.js';
import type { LossSum } from '../evaluation.js';
import { feedArrays } from '../step-program.js';
import type { BatchCosts } from './layered-pass.js';

/** How samples go through a model. */
interface Passing {
  /** Samples of a micro-batch. */
  readonly batch: number;
  /** Micro-batches that go through a layer in one visit. */
  readonly most: number;
  /** Visits to all layers, at least: the last ones of what counts for nothing. */
  readonly passes?: number;
}

/**
 * What samples cost, without a gradient.
 *
 * @param forward what each of so many micro-batches costs
 */
export async function lossOfSamples<Sample>(
  objective: Objective<Sample>,
  samples: Iterable<Sample>,
  { batch, most, passes = 0 }: Passing,
  forward: (feeds: readonly Record<string, HostArray>[]) => Promise<BatchCosts[]>,
): Promise<LossSum> {
  const feeds = Array.from({ length: most }, () => feedArrays(objective as Objective<never>, batch));
  let [sum, weight, done] = [0, 0, 0];
  for (const group of groupsOf(samples, most * batch)) {
    const counts = [...groupsOf(group, batch)].map((some, b) => {
      const all = Array.from({ length: batch }, (_, i) => some[i] ?? some[0]!);
      objective.fill(all, feeds[b]!);
      return some.length;
    });
    const costs = await forward(feeds.slice(0, counts.length));
    done++;
    // What only fills the last micro-batch up does not count.
    for (const [b, one] of costs.entries()) {
      const own = (n: number) => n % batch < counts[b]!;
      sum += weighedCosts(one, own);
      weight += one.costs_N.reduce((all, _, n) => all + (own(n) ? (one.weights_N?.[n] ?? 1) : 0), 0);
    }
  }
  for (; done < passes; done++) await forward(feeds.slice(0, 1));
  return { sum, weight };
}

export function weighedCosts({ costs_N, weights_N }: BatchCosts, counts: (n: number) => boolean = () => true): number {
  return costs_N.reduce((sum, cost, n) => (counts(n) ? sum + cost * (weights_N?.[n] ?? 1) : sum), 0);
}

function* groupsOf<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = [];
  for (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
