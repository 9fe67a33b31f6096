import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { coordinatorManifests } from './coordinator.js';
import type { CoordinatorPlan, Manifest } from './plan.js';

const plan = { name: 'book', image: 'm', workers: { count: 1, cpus: 1, memory: '1Gi', gpus: 0, join: [] } };
const coordinator: CoordinatorPlan = {
  corpus: { kind: 'file', name: 'book.txt.gz', content: Uint8Array.of(1, 2, 3) },
  start: ['--preset', 'mini', '--run-note', 'a b'],
  natsServers: 1,
  natsImage: 'nats',
  password: 'pabc',
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
  const played = `exec() { echo "$*"; exit; }\n${script.replace('[ -e /run/meanfield/run/run.json ]', String(exists))}`;
  return spawnSync('bash', ['-c', played], { env: { NATS_PASSWORD: 'pabc' }, encoding: 'utf8' }).stdout.trim();
}

describe('the coordinator on Kubernetes', () => {
  it('starts a run at first, and carries on with it later', () => {
    const script = scriptOf(coordinatorManifests(plan, coordinator));
    const common =
      '--nats nats://meanfield:pabc@book-nats:4222 --shared-credential --nats-replicas 1 --metrics-port 9464 --run /run/meanfield/run';
    expect(run(script, false)).toBe(
      `meanfield cluster start /corpus/book.txt.gz ${common} --preset mini --run-note a b`,
    );
    expect(run(script, true)).toBe(`meanfield cluster start ${common} --resume --force`);
  });

  it('holds its run on a volume that one pod at a time may use', () => {
    expect(coordinatorManifests(plan, coordinator)[1]).toMatchObject({
      kind: 'PersistentVolumeClaim',
      spec: { accessModes: ['ReadWriteOncePod'], resources: { requests: { storage: '1Gi' } } },
    });
  });

  it('takes a file along, or reads a volume that is there', () => {
    const [corpus] = coordinatorManifests(plan, coordinator);
    expect(corpus).toMatchObject({ kind: 'ConfigMap', binaryData: { 'book.txt.gz': 'AQID' } });
    const claimed = coordinatorManifests(plan, {
      ...coordinator,
      corpus: { kind: 'claim', claim: 'texts', paths: ['a.txt', 'b/c d'] },
    });
    expect(claimed.map(({ kind }) => kind)).toEqual(['PersistentVolumeClaim', 'Job']);
    expect(scriptOf(claimed)).toContain("cluster start /corpus/a.txt '/corpus/b/c d' --nats");
    expect(JSON.stringify(claimed)).toContain('"claimName":"texts"');
  });
});
