import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { UsageError } from '../../base/errors.js';
import { manifestsYaml, runManifests, workerManifests } from './manifests.js';
import type { CoordinatorPlan, KubernetesPlan, Manifest } from './plan.js';
import { objections } from './schema.test-support.js';

const plan: KubernetesPlan = {
  name: 'book',
  image: 'registry.example/meanfield:1',
  workers: { count: 8, cpus: 4, memory: '4Gi', gpus: 0, join: ['--threads', '4'] },
};
const coordinator: CoordinatorPlan = {
  corpus: { kind: 'file', name: 'book.txt.gz', content: Uint8Array.of(31, 139) },
  start: ['--preset', 'mini'],
  natsImage: 'nats:2.11-alpine',
  storage: '10Gi',
};
const names = (manifests: readonly Manifest[]) => manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

describe('manifests', () => {
  it.each<[string, Partial<KubernetesPlan>, Partial<CoordinatorPlan>]>([
    ['with a file', {}, {}],
    ['in a namespace, with GPUs', { namespace: 'ml', workers: { ...plan.workers, gpus: 2 } }, {}],
    ['with a claim', {}, { corpus: { kind: 'claim', claim: 'texts', paths: ['a', 'b'] } }],
    ['with a storage class', {}, { storageClass: 'fast' }],
  ])('of a run %s pass the official schemas, as YAML too', (_, more, moreCoordinator) => {
    const manifests = runManifests({ ...plan, ...more }, { ...coordinator, ...moreCoordinator });
    const parsed = parseAllDocuments(manifestsYaml(manifests), { version: '1.1' }).map((document) => {
      expect([document.errors, document.warnings]).toEqual([[], []]);
      return document.toJS() as unknown;
    });
    expect(parsed).toEqual(manifests);
    for (const manifest of parsed) expect(objections(manifest)).toEqual([]);
  });

  it('of a run hold all it needs; the invitation is made later', () => {
    expect(names(runManifests(plan, coordinator))).toEqual([
      'Service book-coordinator',
      'NetworkPolicy book-coordinator',
      'NetworkPolicy book-workers',
      'ConfigMap book-corpus',
      'PersistentVolumeClaim book-coordinator',
      'Job book-coordinator',
      'Job book-workers',
    ]);
  });

  it('of workers are the invitation, what they may reach, and an indexed Job', () => {
    const manifests = workerManifests({ ...plan, namespace: 'ml' }, 'mf2.x.y', [4222]);
    expect(names(manifests)).toEqual(['Secret book-invitation', 'NetworkPolicy book-workers', 'Job book-workers']);
    for (const manifest of manifests) {
      expect(objections(manifest)).toEqual([]);
      expect(manifest.metadata.namespace).toBe('ml');
    }
  });

  it('keep strings strings where YAML 1.1 would read something else', () => {
    const tricky = { ...plan, image: '1e3', workers: { ...plan.workers, join: ['yes'] } };
    const yaml = manifestsYaml(workerManifests(tricky, 'on', [4222]));
    const [secret, , job] = parseAllDocuments(yaml, { version: '1.1' }).map((document) => document.toJS());
    expect(secret.stringData.invitation).toBe('on');
    expect(job.spec.template.spec.containers[0].image).toBe('1e3');
  });

  it('of a plan that is wrong are refused', () => {
    expect(() => runManifests(plan, { ...coordinator, storage: '10 GB' })).toThrow(UsageError);
    expect(() => workerManifests({ ...plan, name: 'Book' }, 'x', [4222])).toThrow(/`name` must be/);
  });
});

describe('the schemas', () => {
  const [, policy, job] = workerManifests(plan, 'x', [4222]) as [
    Manifest,
    Manifest,
    { kind: string; spec: object } & Manifest,
  ];

  it('object to an unknown field, a wrong type and a missing field', () => {
    expect(objections({ ...job, spec: { ...job.spec, paralelism: 3 } })[0]).toMatch(/paralelism/);
    expect(objections({ ...job, spec: { ...job.spec, parallelism: 'many' } })[0]).toMatch(/spec\.parallelism/);
    expect(objections({ ...job, spec: { completions: 1 } })[0]).toMatch(/spec\.template/);
    expect(objections({ ...policy, spec: { ...(policy.spec as object), egres: [] } })[0]).toMatch(/egres/);
    expect(objections({ ...job, kind: 'Pod' })).toEqual(['no schema for Pod']);
  });
});
