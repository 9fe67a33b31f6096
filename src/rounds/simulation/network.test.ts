import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { type LineOptions, SimulatedNetwork } from './network.js';

function deliveries(line: LineOptions, count: number): { at: number; message: number }[] {
  const network = new SimulatedNetwork(new Random(1), line);
  const seen: { at: number; message: number }[] = [];
  for (let message = 0; message < count; message++) network.send(() => seen.push({ at: network.now, message }));
  while (network.step());
  return seen;
}

describe('the simulated network', () => {
  it('goes through events by time, and by age where times are equal', () => {
    const network = new SimulatedNetwork(new Random(1), { delay: [0, 0], duplicate: 0, loss: 0 });
    const seen: string[] = [];
    for (const [delay, name] of [
      [5, 'd'],
      [1, 'a'],
      [3.2, 'c'],
      [1, 'b'],
      [4, 'e'],
    ] as const)
      network.after(delay, () => seen.push(`${name}${network.now}`));
    network.after(2, () => network.after(0, () => seen.push(`x${network.now}`)));
    expect(network.next).toBe(1);
    while (network.step());
    expect(seen).toEqual(['a1', 'b1', 'x2', 'c4', 'e4', 'd5']);
    expect([network.next, network.step()]).toEqual([undefined, false]);
  });

  it('sorts many events as a sort does', () => {
    const random = new Random(2);
    const delays = Array.from({ length: 1000 }, () => random.below(300));
    const network = new SimulatedNetwork(random, { delay: [0, 0], duplicate: 0, loss: 0 });
    const seen: number[] = [];
    for (const delay of delays) network.after(delay, () => seen.push(delay));
    while (network.step());
    expect(seen).toEqual(delays.toSorted((a, b) => a - b));
  });

  it('delays within bounds and reorders', () => {
    const seen = deliveries({ delay: [10, 20], duplicate: 0, loss: 0 }, 200);
    expect(seen).toHaveLength(200);
    expect(seen.every(({ at }) => at >= 10 && at <= 20)).toBe(true);
    expect(seen.map(({ message }) => message)).not.toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  it('loses and repeats as often as it is told', () => {
    expect(deliveries({ delay: [1, 2], duplicate: 0, loss: 0.25 }, 4000).length / 4000).toBeCloseTo(0.75, 1);
    expect(deliveries({ delay: [1, 2], duplicate: 0.3, loss: 0 }, 4000).length / 4000).toBeCloseTo(1.3, 1);
    expect(deliveries({ delay: [1, 2], duplicate: 0, loss: 1 }, 10)).toEqual([]);
  });

  it('is the same for the same seed', () => {
    const line: LineOptions = { delay: [1, 50], duplicate: 0.2, loss: 0.2 };
    expect(deliveries(line, 50)).toEqual(deliveries(line, 50));
  });
});
