import { CONTAINER_SECURITY, type KubernetesPlan, labels, type Manifest, metadata, POD_SECURITY } from './plan.js';
import { shellWord } from './shell.js';

/** How often an index's worker may die before it is given up; pods that Kubernetes itself takes away do not count. */
const LIVES = 20;
/** Seconds that a worker has to leave politely. */
const NOTICE = 60;

/** The invitation, for the workers' pods. */
export function invitationSecret(plan: KubernetesPlan, invitation: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadata(plan, 'invitation'),
    type: 'Opaque',
    stringData: { invitation },
  };
}

/**
 * An indexed Job of elastic workers. A pod that is pre-empted, drained or dies is replaced; one that was used wrongly
 * (exit code 2) or was evicted (3) is not. Kubernetes 1.31 and later scale it: parallelism and completions together.
 */
export function workersJob(plan: KubernetesPlan): Manifest {
  const { count, cpus, memory, gpus, join } = plan.workers;
  const size = { cpu: String(cpus), memory, ...(gpus > 0 ? { 'nvidia.com/gpu': String(gpus) } : {}) };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata(plan, 'workers'),
    spec: {
      completionMode: 'Indexed',
      completions: count,
      parallelism: count,
      backoffLimitPerIndex: LIVES,
      podFailurePolicy: {
        rules: [
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          { action: 'FailIndex', onExitCodes: { containerName: 'worker', operator: 'In', values: [2, 3] } },
        ],
      },
      template: {
        metadata: { labels: labels(plan, 'workers') },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: NOTICE,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: POD_SECURITY,
          containers: [
            {
              name: 'worker',
              image: plan.image,
              command: ['/bin/sh', '-c', script(join)],
              // Tokens are kept where the pod may write; a new pod fetches them again.
              env: [{ name: 'HOME', value: '/scratch' }],
              resources: { requests: size, limits: size },
              securityContext: CONTAINER_SECURITY,
              volumeMounts: [
                { name: 'invitation', mountPath: '/invitation', readOnly: true },
                { name: 'scratch', mountPath: '/scratch' },
              ],
            },
          ],
          volumes: [
            // A pod whose Secret is not there yet waits for it.
            // Root's; readable by the pod's own group alone.
            { name: 'invitation', secret: { secretName: `${plan.name}-invitation`, defaultMode: 0o440 } },
            { name: 'scratch', emptyDir: {} },
          ],
        },
      },
    },
  };
}

/**
 * What a pod runs. A worker that is told to leave ends well, but a pod that ends well is never replaced: where
 * Kubernetes has told it, the pod ends as one that was ended.
 */
function script(join: readonly string[]): string {
  return [
    `meanfield join -${join.map((word) => ` ${shellWord(word)}`).join('')} < /invitation/invitation &`,
    'worker=$!',
    "told=''",
    `trap 'told=1; kill -TERM "$worker" 2>/dev/null' TERM`,
    'while :; do',
    '  wait "$worker"',
    '  code=$?',
    '  kill -0 "$worker" 2>/dev/null || break',
    'done',
    '[ -z "$told" ] || exit 143',
    'exit "$code"',
  ].join('\n');
}
