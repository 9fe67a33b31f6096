import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { coordinatorManifests } from './coordinator.js';
import type { CoordinatorPlan, Manifest } from './plan.js';

const plan = { name: 'book', image: 'm', workers: { count: 1, cpus: 1, memory: '1Gi', gpus: 0, join: [] } };
const coordinator: CoordinatorPlan = {
  corpus: { kind: 'file', name: 'book.txt.gz', content: Uint8Array.of(1, 2, 3) },
  start: ['--preset', 'mini', '--run-note', 'a b'],
  natsImage: 'nats',
  storage: '1Gi',
};

function scriptOf(manifests: readonly Manifest[]): string {
  const job = manifests.find(({ kind }) => kind === 'Job') as unknown as {
    spec: { template: { spec: { containers: { command: string[] }[] } } };
  };
  return job.spec.template.spec.containers[0]!.command[2]!;
}

/** What the pod's script starts; `exec` is taken for `echo`. */
function run(script: string, exists: boolean): string {
  const here = script
    .replace('[ -e /run/meanfield/run/run.json ]', String(exists))
    .replaceAll('> /run/meanfield/start.txt', '> start.txt; cat start.txt; stat -c %a start.txt; exit');
  const cwd = mkdtempSync(join(tmpdir(), 'meanfield-pod-'));
  try {
    return spawnSync('bash', ['-c', `exec() { echo "$*"; }\n${here}`], { cwd, encoding: 'utf8' }).stdout.trim();
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

describe('the coordinator on Kubernetes', () => {
  it('starts a run at first, and carries on with it later', () => {
    // Its output has the invitation in it: for the owner's eyes alone.
    const script = scriptOf(coordinatorManifests(plan, coordinator));
    const common = '--host book-coordinator --port 4222 --metrics-port 9464 --run /run/meanfield/run';
    expect(run(script, false)).toBe(
      `meanfield cluster start /corpus/book.txt.gz ${common} --preset mini --run-note a b\n600`,
    );
    expect(run(script, true)).toBe(`meanfield cluster start ${common} --resume --force\n600`);
  });

  it('holds its run on a volume that one pod at a time may use', () => {
    expect(coordinatorManifests(plan, coordinator)[1]).toMatchObject({
      kind: 'PersistentVolumeClaim',
      spec: { accessModes: ['ReadWriteOncePod'], resources: { requests: { storage: '1Gi' } } },
    });
  });

  it('has a server of its own, whose program comes from its image, and no secret in the manifest', () => {
    const manifests = coordinatorManifests(plan, coordinator);
    const job = manifests.find(({ kind }) => kind === 'Job') as unknown as {
      spec: { template: { spec: { initContainers: object[]; containers: { env: object[] }[] } } };
    };
    const { initContainers, containers } = job.spec.template.spec;
    expect(initContainers).toMatchObject([{ image: 'nats', volumeMounts: [{ name: 'programs', mountPath: '/nats' }] }]);
    expect(containers[0]!.env).toEqual([{ name: 'HOME', value: '/run/meanfield' }]);
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret');
    expect(JSON.stringify(manifests)).not.toMatch(/secretKeyRef|PASSWORD|shared-credential/);
  });

  it('takes a file along, or reads a volume that is there', () => {
    const [corpus] = coordinatorManifests(plan, coordinator);
    expect(corpus).toMatchObject({ kind: 'ConfigMap', binaryData: { 'book.txt.gz': 'AQID' } });
    const claimed = coordinatorManifests(plan, {
      ...coordinator,
      corpus: { kind: 'claim', claim: 'texts', paths: ['a.txt', 'b/c d'] },
    });
    expect(claimed.map(({ kind }) => kind)).toEqual(['PersistentVolumeClaim', 'Job']);
    expect(scriptOf(claimed)).toContain("cluster start /corpus/a.txt '/corpus/b/c d' --host");
    expect(JSON.stringify(claimed)).toContain('"claimName":"texts"');
  });
});
