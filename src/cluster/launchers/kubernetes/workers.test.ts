import { describe, expect, it } from 'vitest';
import type { KubernetesPlan } from './plan.js';
import { invitationSecret, workersJob } from './workers.js';

const plan: KubernetesPlan = {
  name: 'book',
  image: 'meanfield',
  workers: { count: 8, cpus: 4, memory: '4Gi', gpus: 0, join: ['--device', "a'b"] },
};

describe('the Job of workers', () => {
  it('has an index for each, starts those that die again and gives up on wrong usage', () => {
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
            { action: 'FailIndex', onExitCodes: { values: [2] } },
          ],
        },
        // Required by backoffLimitPerIndex and podFailurePolicy.
        template: { spec: { restartPolicy: 'Never' } },
      },
    });
  });

  it('reads the invitation from its Secret, so that no command line shows it', () => {
    const job = JSON.stringify(workersJob(plan));
    expect(job).toContain(`exec meanfield join \\"$(cat /invitation/invitation)\\" --device 'a'\\\\''b'`);
    expect(job).toContain('"secretName":"book-invitation"');
    expect(invitationSecret(plan, 'mf1.x.y')).toMatchObject({
      metadata: { name: 'book-invitation' },
      stringData: { invitation: 'mf1.x.y' },
    });
  });

  it('asks for GPUs only where there are some', () => {
    const limits = (gpus: number) => {
      const job = workersJob({ ...plan, workers: { ...plan.workers, gpus } }) as unknown as {
        spec: { template: { spec: { containers: { resources: { limits: unknown } }[] } } };
      };
      return job.spec.template.spec.containers[0]!.resources.limits;
    };
    expect(limits(0)).toEqual({ cpu: '4', memory: '4Gi' });
    expect(limits(2)).toEqual({ cpu: '4', memory: '4Gi', 'nvidia.com/gpu': '2' });
  });
});
