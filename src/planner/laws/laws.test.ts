import { describe, expect, it } from 'vitest';
import { brainSizes, findBrain, findLaw, scalingLaws } from './laws.js';

describe('findLaw', () => {
  it('has the published laws, each with its source', () => {
    expect(scalingLaws.map(({ name }) => name)).toEqual(['chinchilla', 'chinchilla-rounded', 'replication', 'kaplan']);
    for (const { source } of scalingLaws) expect(source).toMatch(/arXiv \d{4}\.\d{5}/);
    expect(findLaw('Chinchilla-Rounded')).toMatchObject({ E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28 });
  });

  it('lists the names there are', () => {
    expect(() => findLaw('chinchila')).toThrow(
      "No scaling law is called 'chinchila'; there are chinchilla, chinchilla-rounded, replication, kaplan.",
    );
  });
});

describe('findBrain', () => {
  it('states what each brain’s size assumes', () => {
    expect(findBrain('brain-100t').parameters).toBe(1e14);
    for (const { assumption, source } of brainSizes) {
      expect(assumption).toContain('one parameter a synapse');
      expect(source).not.toBe('');
    }
    expect(() => findBrain('mouse')).toThrow('there are brain-100t, neocortex-150t, brain-1000t');
  });
});
