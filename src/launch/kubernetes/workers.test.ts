import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { KubernetesPlan, Manifest } from './plan.js';
import { invitationSecret, workersJob } from './workers.js';

const plan: KubernetesPlan = {
  name: 'book',
  image: 'meanfield',
  workers: { count: 8, cpus: 4, memory: '4Gi', gpus: 0, join: ['--device', "a'b"] },
};

interface Container {
  readonly command: readonly string[];
  readonly resources: { readonly limits: unknown };
}

function containerOf(job: Manifest): Container {
  const { spec } = job as unknown as { spec: { template: { spec: { containers: readonly Container[] } } } };
  return spec.template.spec.containers[0]!;
}

describe('the Job of workers', () => {
  it('has an index for each, starts those that die again and gives up on wrong usage and on the evicted', () => {
    expect(workersJob(plan)).toMatchObject({
      kind: 'Job',
      spec: {
        completionMode: 'Indexed',
        completions: 8,
        parallelism: 8,
        backoffLimitPerIndex: 20,
        podFailurePolicy: {
          rules: [
            { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
            { action: 'FailIndex', onExitCodes: { values: [2, 3] } },
          ],
        },
        // Required by backoffLimitPerIndex and podFailurePolicy.
        template: { spec: { restartPolicy: 'Never' } },
      },
    });
  });

  it('reads the invitation from its Secret, so that no command line shows it', () => {
    const job = JSON.stringify(workersJob(plan));
    expect(job).toContain(`meanfield join - --device 'a'\\\\''b' < /invitation/invitation &`);
    expect(job).toContain('"secretName":"book-invitation"');
    expect(invitationSecret(plan, 'mf2.x.y')).toMatchObject({
      metadata: { name: 'book-invitation' },
      stringData: { invitation: 'mf2.x.y' },
    });
  });

  it('ends as its worker does, and as one that was ended when Kubernetes takes it away', () => {
    const play = (worker: string, meanwhile = '') => {
      const script = containerOf(workersJob({ ...plan, workers: { ...plan.workers, join: [] } })).command[2]!;
      const body = script.replace('meanfield join - < /invitation/invitation', `sh -c '${worker}'`);
      return spawnSync('/bin/sh', ['-c', `${meanwhile}\n${body}`]).status;
    };
    expect([0, 1, 2, 3].map((code) => play(`exit ${code}`))).toEqual([0, 1, 2, 3]);
    const leaves = 'trap "exit 0" TERM; for i in $(seq 100); do sleep 0.1; done';
    expect(play(leaves, '( sleep 0.5; kill -TERM $$ ) &')).toBe(143);
  });

  it('asks for GPUs only where there are some', () => {
    const limits = (gpus: number) => {
      return containerOf(workersJob({ ...plan, workers: { ...plan.workers, gpus } })).resources.limits;
    };
    expect(limits(0)).toEqual({ cpu: '4', memory: '4Gi' });
    expect(limits(2)).toEqual({ cpu: '4', memory: '4Gi', 'nvidia.com/gpu': '2' });
  });
});
