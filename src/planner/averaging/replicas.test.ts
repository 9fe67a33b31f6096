import { describe, expect, test } from 'vitest';
import { cluster } from '../search/search.test-support.js';
import { checkReplicas, divisionsOf, linkOf } from './replicas.js';

const sizes = (machine: typeof cluster, batch: number) =>
  divisionsOf(machine, batch).map(({ replicas, island }) => [island.accelerators, replicas]);

describe('divisions', () => {
  test('are equal parts of a node, then nodes by powers of two', () => {
    expect(sizes(cluster, 24)).toEqual([
      [1, 12],
      [2, 8],
      [4, 4],
      [8, 2],
    ]);
  });

  test('leave out sizes of which there is but one', () => {
    expect(sizes({ ...cluster, accelerators: 4 }, 24)).toEqual([
      [1, 4],
      [2, 2],
    ]);
    expect(sizes({ ...cluster, accelerators: 1, perNode: 1 }, 24)).toEqual([]);
    expect(sizes(cluster, 1)).toEqual([]);
  });

  test('share a node: its host and its network card', () => {
    const { island } = divisionsOf(cluster, 24)[0]!;
    expect(island).toMatchObject({ accelerators: 1, perNode: 1, interNode: 6.25e9 });
    expect(island.host).toMatchObject({ memory: 128e9, memoryBandwidth: 50e9, disk: 1e12, cores: 16 });
  });
});

test('a replica has the cards of its nodes', () => {
  const bandwidth = divisionsOf(cluster, 24).map(({ island }) => linkOf(cluster, island).bandwidth / 1e9);
  expect(bandwidth).toEqual([6.25, 12.5, 25, 50]);
  expect(linkOf(cluster, cluster).latency).toBe(1e-5);
});

test('without a network replicas are parts of one node', () => {
  const apart = { ...cluster, interNode: 0 };
  expect(sizes(apart, 24).every(([size, count]) => size! * count! <= cluster.perNode)).toBe(true);
  expect(linkOf(apart, divisionsOf(apart, 24)[0]!.island)).toEqual({ bandwidth: 100e9, latency: 5e-6 });
});

test('within one node replicas average over its links', () => {
  const node = { ...cluster, accelerators: 4 };
  const link = divisionsOf(node, 24).map(({ island }) => linkOf(node, island));
  expect(link).toEqual([
    { bandwidth: 100e9, latency: 5e-6 },
    { bandwidth: 200e9, latency: 5e-6 },
  ]);
});

test('a number of replicas that the cluster is not cut into is refused with those that it is', () => {
  expect(() => checkReplicas(8, cluster, 24)).not.toThrow();
  expect(() => checkReplicas(7, cluster, 24)).toThrow(
    /`replicas: 7` cannot be: .* 24 sequences.* Allowed: 2, 4, 8, 12\./,
  );
  const alone = { ...cluster, accelerators: 1, perNode: 1 };
  expect(() => checkReplicas(2, alone, 24)).toThrow(/Allowed: none, for it is one part\./);
});
