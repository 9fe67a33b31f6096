import { expect, test } from 'vitest';
import { arrangementOf, cellsOf, sizeOf } from './cells.js';
import { Leaders } from './leaders.js';
import { cluster, fixed, workload } from './search.test-support.js';

test('a cell combines a grid with its schedules, ZeRO stages and places', () => {
  const grid = { data: 4, tensor: 2, pipeline: 2, context: 1 };
  const [cell, ...more] = cellsOf(workload, cluster, { ...fixed, ...grid }, new Leaders());
  expect(more).toEqual([]);
  expect(cell!.devices).toBe(16);
  expect(
    cell!.states.map((states) => states.map(({ zero, place }) => `${zero} ${place.offload} ${place.offloadTo}`)),
  ).toEqual(
    [0, 1].map((zero) => [
      `${zero} none host`,
      `${zero} optimizer host`,
      `${zero} optimizer disk`,
      `${zero} optimizer+parameters host`,
      `${zero} optimizer+parameters disk`,
    ]),
  );
  const [none, host, disk] = cell!.states[0]!;
  expect([none!.onHost, host!.onHost, disk!.onHost]).toEqual([undefined, undefined, host]);
  // Six sequences a rank: micro-batches 1 and 3 give an even number of them, so stages can interleave 1, 2, 3 or 6 times.
  expect(cell!.schedules).toHaveLength(4 + 1 + 4 + 1);
  expect(sizeOf(cell!, fixed)).toBe(10 * 2 * 5 * 3);
  expect(sizeOf(cell!, { ...fixed, recompute: 'full' })).toBe(10 * 2 * 5);
});

test('no cell stays without a schedule', () => {
  expect(cellsOf(workload, cluster, { ...fixed, microBatch: 7 }, new Leaders())).toEqual([]);
});

test('the sequence is split along where the tensor split divides it', () => {
  const split = (sequence: number) => {
    const cells = cellsOf(workload, cluster, { ...fixed, sequence, tensor: 4, pipeline: 1, data: 2 }, new Leaders());
    const state = cells[0]!.states[0]![0]!;
    return arrangementOf(state, cells[0]!.schedules[0]!, 'full', { ...fixed, sequence }).sequenceParallel;
  };
  expect(split(1024)).toBe(true);
  expect(split(1022)).toBe(false);
});
