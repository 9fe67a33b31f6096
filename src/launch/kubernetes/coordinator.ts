import { NATS_USER } from './nats.js';
import {
  CONTAINER_SECURITY,
  type CoordinatorPlan,
  type KubernetesPlan,
  labels,
  type Manifest,
  metadata,
  POD_SECURITY,
} from './plan.js';
import { shellWord } from './shell.js';

/** Where Prometheus finds the coordinator's metrics. */
export const METRICS_PORT = 9464;

/**
 * The coordinator: a Job that ends with the run, on a volume that stays. Killed, it starts again and carries on.
 */
export function coordinatorManifests(plan: KubernetesPlan, coordinator: CoordinatorPlan): Manifest[] {
  const { corpus, storage, storageClass } = coordinator;
  const own = metadata(plan, 'coordinator');
  const manifests: Manifest[] = [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: own,
      spec: {
        // One pod at a time: that is what makes it safe to take over the run's lock from a pod that is gone.
        accessModes: ['ReadWriteOncePod'],
        ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
        resources: { requests: { storage } },
      },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: own,
      spec: {
        backoffLimit: 100,
        podFailurePolicy: {
          rules: [
            { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
            { action: 'FailJob', onExitCodes: { containerName: 'coordinator', operator: 'In', values: [2] } },
          ],
        },
        template: {
          metadata: {
            labels: labels(plan, 'coordinator'),
            annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(METRICS_PORT) },
          },
          spec: pod(plan, coordinator),
        },
      },
    },
  ];
  if (corpus.kind === 'file') {
    const content = Buffer.from(corpus.content).toString('base64');
    const stored = metadata(plan, 'corpus');
    manifests.unshift({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: stored,
      binaryData: { [corpus.name]: content },
    });
  }
  return manifests;
}

function pod(plan: KubernetesPlan, coordinator: CoordinatorPlan): object {
  const { corpus } = coordinator;
  return {
    restartPolicy: 'Never',
    // The round in progress is finished and saved first.
    terminationGracePeriodSeconds: 300,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: POD_SECURITY,
    containers: [
      {
        name: 'coordinator',
        image: plan.image,
        command: ['/bin/sh', '-c', script(plan, coordinator)],
        env: [
          { name: 'HOME', value: '/run/meanfield' },
          { name: 'NATS_PASSWORD', valueFrom: { secretKeyRef: { name: `${plan.name}-nats`, key: 'password' } } },
        ],
        ports: [{ name: 'metrics', containerPort: METRICS_PORT }],
        resources: { requests: { cpu: '1', memory: plan.workers.memory } },
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [
          { name: 'run', mountPath: '/run/meanfield' },
          { name: 'corpus', mountPath: '/corpus', readOnly: true },
        ],
      },
    ],
    volumes: [
      { name: 'run', persistentVolumeClaim: { claimName: `${plan.name}-coordinator` } },
      corpus.kind === 'file'
        ? { name: 'corpus', configMap: { name: `${plan.name}-corpus` } }
        : { name: 'corpus', persistentVolumeClaim: { claimName: corpus.claim, readOnly: true } },
    ],
  };
}

/** Starts the run, or carries on with the one in the folder. */
function script(plan: KubernetesPlan, { corpus, start, natsServers }: CoordinatorPlan): string {
  const paths = corpus.kind === 'file' ? [corpus.name] : corpus.paths;
  const files = paths.map((path) => shellWord(`/corpus/${path}`)).join(' ');
  const options = [
    `--nats "nats://${NATS_USER}:$NATS_PASSWORD@${plan.name}-nats:4222"`,
    `--shared-credential --nats-replicas ${natsServers}`,
    `--metrics-port ${METRICS_PORT}`,
    '--run /run/meanfield/run',
  ].join(' ');
  return [
    'if [ -e /run/meanfield/run/run.json ]; then',
    `  exec meanfield cluster start ${options} --resume --force`,
    'fi',
    `exec meanfield cluster start ${files} ${options}${start.map((word) => ` ${shellWord(word)}`).join('')}`,
  ].join('\n');
}
