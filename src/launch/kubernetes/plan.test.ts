import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { checkPlan, checkQuantity, type KubernetesPlan, labels, metadata } from './plan.js';

const plan: KubernetesPlan = {
  name: 'book',
  image: 'registry.example/meanfield:1',
  workers: { count: 8, cpus: 4, memory: '4Gi', gpus: 0, join: [] },
};

describe('a plan', () => {
  it.each<[RegExp, Partial<KubernetesPlan>]>([
    [/`name` must be 1 to 40/, { name: 'Book' }],
    [/`name` must be/, { name: 'a'.repeat(41) }],
    [/`name` must be/, { name: 'a\nkind: Pod' }],
    [/`namespace` must be/, { namespace: 'a_b' }],
    [/`image` must be/, { image: '' }],
    [/`memory` must be a size such as 512Mi or 4Gi; got lots/, { workers: { ...plan.workers, memory: 'lots' } }],
  ])('is refused: %s', (message, wrong) => {
    expect(() => checkPlan({ ...plan, ...wrong })).toThrow(UsageError);
    expect(() => checkPlan({ ...plan, ...wrong })).toThrow(message);
  });

  it('of a sound name, namespace and image is taken', () => {
    expect(() => checkPlan({ ...plan, name: 'a', namespace: '0-ml' })).not.toThrow();
    expect(() => checkPlan({ ...plan, name: 'a'.repeat(40) })).not.toThrow();
  });
});

describe('a size', () => {
  it.each(['1', '512Mi', '1.5Gi', '10G', '2k'])('such as %s is taken', (size) => {
    expect(() => checkQuantity('storage', size)).not.toThrow();
  });

  it.each(['0', '-1Gi', '1 Gi', '4gb', '', 'Gi'])('such as %j is refused', (size) => {
    expect(() => checkQuantity('storage', size)).toThrow(/`storage` must be a size such as 512Mi or 4Gi/);
  });
});

describe('metadata', () => {
  it('bears the namespace only where one was given', () => {
    expect(metadata(plan, 'nats')).toEqual({ name: 'book-nats', labels: labels(plan, 'nats') });
    expect(metadata({ ...plan, namespace: 'ml' }, 'nats').namespace).toBe('ml');
    expect(labels(plan, 'workers')['app.kubernetes.io/component']).toBe('workers');
  });
});
