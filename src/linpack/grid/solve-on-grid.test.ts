import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { Distribution } from '../blocks.js';
import { fillColumns } from '../generator.js';
import { Kernels } from '../kernels.js';
import { fillFrom, KINDS, makeSystem } from '../matrices.test-support.js';
import { type Fill, measure } from '../measure.js';
import { Alone } from '../team.js';
import { exchangeOf } from './exchange.js';
import type { KINDS as LETTERS } from './inbox.js';
import { Layout } from './layout.js';
import { Link } from './link.js';
import { GridSolver } from './solve-on-grid.js';

const engine = new NodeEngine();

/** Machines in this process, whose letters are late, in another order, and now and then come twice. */
async function solveTogether(layout: Layout, seed: number, fill: Fill = fillColumns) {
  const random = new Random(seed, 'network');
  const refusals: string[] = [];
  const links: Link[] = Array.from(
    { length: layout.size },
    (_, rank) =>
      new Link(layout, rank, {
        send: async (to, letter, values) => {
          for (const other of to) {
            const copy = values.slice();
            for (let times = random.below(8) === 0 ? 2 : 1; times > 0; times--) {
              setTimeout(() => {
                const reason = links[other]!.deliver(letter, copy);
                if (reason !== undefined) refusals.push(reason);
              }, random.below(4));
            }
          }
        },
      }),
  );
  const kernels = new Kernels(engine, 'float64');
  const ends = await Promise.allSettled(
    links.map((link) =>
      new GridSolver(layout, link, kernels, fill).solve().catch((error: MeanfieldError) => {
        for (const other of links) other.fail(error);
        throw error;
      }),
    ),
  );
  await kernels.dispose();
  expect(refusals).toEqual([]);
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return ends.map((end) => (end as PromiseFulfilledResult<Awaited<ReturnType<GridSolver['solve']>>>).value);
}

describe('machines in a grid', () => {
  it.each([
    [1, 1, 40, 16],
    [1, 2, 60, 16],
    [2, 1, 60, 16],
    [2, 2, 130, 16],
    [2, 3, 100, 7],
    [3, 2, 97, 32],
    [3, 3, 20, 8],
    [4, 1, 5, 2],
  ])('%i × %i solve n = %i in blocks of %i', async (rows, columns, n, nb) => {
    const layout = new Layout(n, nb, rows, columns);
    const all = await solveTogether(layout, 7);
    expect(all[0]!.residual).toBeLessThan(16);
    for (const { x } of all) expect(x).toEqual(all[0]!.x);
    const alone = await measure(engine, new Alone(n), { distribution: new Distribution(n, nb, 1), type: 'float64' });
    for (let i = 0; i < n; i++) expect(all[0]!.x[i]).toBeCloseTo(alone.x[i]!, 6);
  });

  it.each(KINDS)('solve %s matrices, whatever becomes of letters on the way', async (kind) => {
    const system = makeSystem(kind, 70, 3);
    const solutions = [];
    for (const seed of [1, 2]) solutions.push(await solveTogether(new Layout(70, 9, 2, 2), seed, fillFrom(system)));
    expect(solutions[0]![0]!.residual).toBeLessThan(16);
    // The network decides nothing: the same bits.
    expect(solutions[1]![0]!.x).toEqual(solutions[0]![0]!.x);
  });

  it('name a singular matrix, all of them', async () => {
    const zeros: Fill = (out) => void out.fill(0);
    await expect(solveTogether(new Layout(40, 8, 2, 2), 1, zeros)).rejects.toThrow(/singular.*column 1/);
  });
});

it('pivots move rows as one exchange after another does, and what are none is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 20 }), fc.nat(), (width, more, seed) => {
      const rows = width + more;
      const random = new Random(seed);
      const pivots = Array.from({ length: width }, (_, j) => j + random.below(rows - j));
      const order = Array.from({ length: rows }, (_, i) => i);
      for (const [j, other] of pivots.entries()) [order[j], order[other]] = [order[other]!, order[j]!];
      const { up, down } = exchangeOf(pivots, rows);
      const ours = Array.from({ length: rows }, (_, i) => i);
      for (const [to, from] of up.entries()) ours[to] = from;
      for (const { to, from } of down) ours[to] = from;
      expect(ours).toEqual(order);
      expect(down.every(({ from }) => from < width)).toBe(true);
    }),
  );
  for (const pivots of [[-1], [5], [0.5], [Number.NaN], [0, 0]])
    expect(() => exchangeOf(pivots, 5)).toThrow(MeanfieldError);
});

it('letters that nobody may send are refused with a reason, and change nothing', () => {
  const layout = new Layout(40, 8, 2, 2);
  const link = new Link(layout, 1, { send: async () => {} });
  const refuse = (kind: string, step: number, from: number, values: number, reason: RegExp) =>
    expect(link.deliver({ kind: kind as (typeof LETTERS)[number], step, from }, new Float64Array(values))).toMatch(
      reason,
    );
  refuse('nonsense', 0, 0, 1, /unknown kind/);
  refuse('go', 0, 1, 0, /from machine 1 of 4/);
  refuse('go', 0, 4, 0, /from machine 4 of 4/);
  refuse('go', 0, -1, 0, /machine -1/);
  refuse('solution', 5, 0, 8, /step 5; there are 5/);
  refuse('solution', Number.NaN, 0, 8, /step NaN/);
  refuse('go', 0, 2, 0, /has no part in/);
  refuse('factors', 0, 2, 8, /has no part in/);
  refuse('factors', 0, 0, 9, /9 values; expected/);
  refuse('solution', 0, 0, 7, /7 values; expected 8/);
  refuse('top', 1, 3, 1e6, /1000000 values; expected/);
  expect(link.deliver({ kind: 'go', step: 0, from: 0 }, new Float64Array(0))).toBeUndefined();
});
