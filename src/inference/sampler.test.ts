import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { Sampler, type SamplerOptions } from './sampler.js';

const plain: SamplerOptions = { temperature: 1, topK: 0, topP: 1, seed: 1 };

function frequencies(logits: number[], options: Partial<SamplerOptions>, draws = 20_000): number[] {
  const sampler = new Sampler({ ...plain, ...options });
  const counts = logits.map(() => 0);
  for (let i = 0; i < draws; i++) counts[sampler.sample(Float32Array.from(logits))]! += 1 / draws;
  return counts;
}

const logs = (shares: number[]) => shares.map(Math.log);

describe('Sampler', () => {
  it('takes the first of the likeliest tokens at temperature 0', () => {
    const sampler = new Sampler({ ...plain, temperature: 0 });
    expect(sampler.sample(Float32Array.of(1, 3, 3, -2))).toBe(1);
  });

  it('draws by the softmax of the scores', () => {
    const shares = [0.1, 0.2, 0.3, 0.4];
    frequencies(logs(shares), {}).forEach((f, i) => {
      expect(Math.abs(f - shares[i]!)).toBeLessThan(0.015);
    });
  });

  it('divides the scores by the temperature', () => {
    // exp(2 ln p) = p²: 1, 4, 9, 16 of 30
    frequencies(logs([0.1, 0.2, 0.3, 0.4]), { temperature: 0.5 }).forEach((f, i) => {
      expect(Math.abs(f - (i + 1) ** 2 / 30)).toBeLessThan(0.015);
    });
  });

  it('keeps the topK likeliest, of equal ones the first', () => {
    const [a, b, c, d] = frequencies(logs([0.2, 0.4, 0.2, 0.2]), { topK: 2 });
    expect([c, d]).toEqual([0, 0]);
    expect(Math.abs(a! - 1 / 3)).toBeLessThan(0.015);
    expect(Math.abs(b! - 2 / 3)).toBeLessThan(0.015);
  });

  it.each([
    [0.4, [0, 0, 0, 1]],
    [0.45, [0, 0, 3 / 7, 4 / 7]],
    [0.75, [0, 2 / 9, 3 / 9, 4 / 9]],
    [0.95, [0.1, 0.2, 0.3, 0.4]],
  ])('keeps the fewest tokens that reach topP = %f', (topP, expected) => {
    // A little below each bound, so that rounding does not decide.
    frequencies(logs([0.1, 0.2, 0.3, 0.4]), { topP: topP - 0.01 }).forEach((f, i) => {
      if (expected[i] === 0) expect(f).toBe(0);
      else expect(Math.abs(f - expected[i]!)).toBeLessThan(0.015);
    });
  });

  it('repeats itself for a seed and not for another', () => {
    const logits = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i));
    const run = (seed: number) => {
      const sampler = new Sampler({ ...plain, seed });
      return Array.from({ length: 30 }, () => sampler.sample(logits));
    };
    expect(run(5)).toEqual(run(5));
    expect(run(5)).not.toEqual(run(6));
  });

  it('refuses scores of which none is a number to choose by', () => {
    const options = { temperature: 1, topK: 0, topP: 1, seed: 1 };
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(() => new Sampler(options).sample(new Float32Array(3).fill(value))).toThrow(/its weights are not usable/);
    }
    const one = Float32Array.of(Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY);
    expect(new Sampler(options).sample(one)).toBe(1);
  });

  it('never leaves the topK likeliest or the nucleus, whatever the scores', () => {
    const score = fc.integer({ min: -320, max: 320 }).map((n) => n / 4);
    const options = fc.record({
      temperature: fc.double({ min: 0.01, max: 5, noNaN: true }),
      topK: fc.integer({ min: 0, max: 12 }),
      topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(score, { minLength: 1, maxLength: 10 }), options, (scores, o) => {
        const logits = Float32Array.from(scores);
        const id = new Sampler(o).sample(logits);
        const larger = logits.filter((value) => value > logits[id]!);
        if (o.topK > 0) expect(larger.length).toBeLessThan(o.topK);
        const kept = o.topK > 0 ? logits.toSorted((a, b) => b - a).slice(0, o.topK) : logits;
        const largest = Math.max(...logits);
        const mass = (values: Float32Array) =>
          values.reduce((sum, value) => sum + Math.exp((value - largest) / o.temperature), 0);
        expect(mass(larger)).toBeLessThan(o.topP * mass(kept) + 1e-9);
      }),
    );
  });

  it('draws from the nucleus of many tokens as if it had sorted them all', () => {
    const many = fc.record({
      spread: fc.double({ min: 0, max: 4, noNaN: true }),
      step: fc.constantFrom(0, 0.5),
      topP: fc.double({ min: 0.05, max: 0.999, noNaN: true }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(many, ({ spread, step, topP, seed }) => {
        const random = new Random(seed);
        // With a step many scores are equal.
        const logits = Float32Array.from({ length: 3001 }, () => {
          const score = spread * random.normal();
          return step === 0 ? score : Math.round(score / step) * step;
        });
        const largest = Math.max(...logits);
        const weights = Array.from(logits, (score) => Math.exp(score - largest));
        const order = [...logits.keys()].sort((a, b) => weights[b]! - weights[a]! || a - b);
        const wanted = topP * weights.reduce((sum, weight) => sum + weight, 0);
        let reached = 0;
        const count = order.findIndex((id) => {
          reached += weights[id]!;
          return reached >= wanted;
        });
        const nucleus = new Set(order.slice(0, count + 1));
        const kept = logits.map((score, id) => (nucleus.has(id) ? score : Number.NEGATIVE_INFINITY));
        const options = { temperature: 1, topK: 0, seed };
        const [ours, plainly] = [new Sampler({ ...options, topP }), new Sampler({ ...options, topP: 1 })];
        for (let i = 0; i < 5; i++) expect(ours.sample(logits)).toBe(plainly.sample(kept));
      }),
    );
  });

  it('allows scores of −∞ and refuses those that are no numbers', () => {
    expect(frequencies([Number.NEGATIVE_INFINITY, 0], {}, 50)[0]).toBe(0);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new Sampler(plain).sample(Float32Array.of(0, bad))).toThrow(/score of token 1/);
    }
  });
});
