import { expect, it } from 'vitest';
import { Assignment } from './assignment.js';

it('shares shards out and is complete when each has a result', () => {
  const it = new Assignment<string>(5, ['a', 'b'], 0);
  expect(it.owed()).toEqual(
    new Map([
      ['a', [0, 2, 4]],
      ['b', [1, 3]],
    ]),
  );
  for (const shard of [0, 2]) expect(it.deliver(shard, 'a', `r${shard}`, 1)).toBe('counts');
  it.deliver(1, 'b', 'r1', 1);
  it.deliver(3, 'b', 'r3', 1);
  expect(it.deliver(4, 'b', 'not its to give', 1)).toBe('foreign');
  expect(it.complete).toBe(false);
  expect(() => it.results).toThrow('shard 4');
  it.deliver(4, 'a', 'r4', 1);
  expect(it.deliver(4, 'a', 'later', 2)).toBe('known');
  expect(it.deliver(9, 'b', 'no such shard', 2)).toBe('foreign');
  expect(it.complete).toBe(true);
  expect(it.results).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
});

it('gives what a dead one owes to the others, and to the coordinator when nobody is left', () => {
  const it = new Assignment<string>(3, ['a', 'b'], 0);
  it.deliver(0, 'a', 'r0', 0);
  it.lose('a', 1);
  it.lose('stranger', 1);
  expect(it.owed()).toEqual(new Map([['b', [1, 2]]]));
  it.lose('b', 1);
  expect(it.owed()).toEqual(new Map([[null, [1, 2]]]));
  it.deliver(1, null, 'r1', 1);
  it.deliver(2, null, 'r2', 1);
  expect(it.results).toEqual(['r0', 'r1', 'r2']);
});

it('takes shards from who is late, but not from who delivers', () => {
  const it = new Assignment<string>(4, ['a', 'b'], 0);
  it.deliver(0, 'a', 'r0', 900);
  expect(it.takeFromLate(1000, 1000)).toEqual(['b']);
  expect(it.owed()).toEqual(new Map([['a', [1, 2, 3]]]));
  it.takeFromLate(2500, 1000);
  // Both have failed on 1 and 3; b may still do 2.
  expect(it.owed()).toEqual(
    new Map([
      ['b', [2]],
      [null, [1, 3]],
    ]),
  );
});

it('once half is there, does not wait for one that takes much longer than the others did', () => {
  const it = new Assignment<string>(4, ['a', 'b'], 0);
  it.deliver(0, 'a', 'r0', 10);
  // Of one shard in four nobody can say how long one takes.
  expect(it.untilLate(20, 12_000)).toBe(11_980);
  it.deliver(2, 'a', 'r2', 210);
  // Four times the slowest, 200 ms, and a 24th of the patience at least.
  expect(it.untilLate(300, 12_000)).toBe(500);
  expect(it.takeFromLate(799, 12_000)).toEqual([]);
  expect(it.takeFromLate(800, 12_000)).toEqual(['b']);
  expect(it.owed()).toEqual(new Map([['a', [1, 3]]]));
  it.deliver(1, 'a', 'r1', 801);
  it.deliver(3, 'a', 'r3', 801);
  expect(it.untilLate(900, 12_000)).toBe(Number.POSITIVE_INFINITY);
  const quick = new Assignment<string>(2, ['a', 'b'], 0);
  quick.deliver(0, 'a', 'r0', 1);
  expect(quick.untilLate(1, 12_000)).toBe(499);
});

it('has a shard done again whose result cannot be read', () => {
  const it = new Assignment<string>(1, ['a'], 0);
  it.deliver(0, 'a', 'bad', 0);
  it.fail(0, 'a', 1);
  expect(it.complete).toBe(false);
  expect(it.owed()).toEqual(new Map([[null, [0]]]));
  expect(new Assignment(1, [], 0).owed()).toEqual(new Map([[null, [0]]]));
});

it('has all done again that one has done who cannot be relied on', () => {
  const it = new Assignment<string>(4, ['a', 'b'], 0);
  it.deliver(0, 'a', 'r0', 0);
  it.deliver(1, 'b', 'false', 0);
  expect(it.at(1)).toMatchObject([{ reducer: 'b', result: 'false' }]);
  it.takeFrom('b', 1);
  expect(it.owed()).toEqual(new Map([['a', [1, 2, 3]]]));
  expect(it.at(0)[0]!.result).toBe('r0');
  it.takeFrom('a', 2);
  expect(it.owed()).toEqual(new Map([[null, [0, 1, 2, 3]]]));
});

it('gives each shard to two, never twice to one, and what is missing to the coordinator', () => {
  const it = new Assignment<string>(2, ['a', 'b', 'c'], 0, 2);
  expect(it.at(1).map(({ reducer }) => reducer)).toEqual(['b', 'c']);
  it.deliver(0, 'a', 'x', 0);
  expect(it.complete).toBe(false);
  it.deliver(0, 'b', 'x', 0);
  it.lose('b', 1);
  expect(it.owed()).toEqual(
    new Map([
      ['a', [1]],
      ['c', [1]],
    ]),
  );
  it.lose('a', 1);
  expect(it.owed()).toEqual(
    new Map<string | null, number[]>([
      [null, [1]],
      ['c', [1]],
    ]),
  );
  it.settle(1, 'own');
  expect(it.results).toEqual(['x', 'own']);
  expect(new Assignment(1, ['a'], 0, 2).owed()).toEqual(
    new Map<string | null, number[]>([
      ['a', [0]],
      [null, [0]],
    ]),
  );
});
