import { METRICS_PORT, NATS_PORT } from './network.js';
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

/** What `cluster start` writes to standard output goes there: the invitation is in it, and logs are read by many. */
export const START_OUTPUT = '/run/meanfield/start.txt';
/** Where the server's program is put. */
const PROGRAMS = '/nats';

/**
 * The coordinator, and the server that it starts: a Job that ends with the run, on a volume that stays. Killed, it starts
 * again and carries on. The server has TLS and an account for each worker, and its keys never leave the volume.
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
    // Once: it would open the keys on the volume to the group each time.
    securityContext: { ...POD_SECURITY, fsGroupChangePolicy: 'OnRootMismatch' },
    initContainers: [
      {
        name: 'nats',
        image: coordinator.natsImage,
        command: ['/bin/sh', '-c', `cp "$(command -v nats-server)" ${PROGRAMS}/nats-server`],
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [{ name: 'programs', mountPath: PROGRAMS }],
      },
    ],
    containers: [
      {
        name: 'coordinator',
        image: plan.image,
        command: ['/bin/sh', '-c', script(plan, coordinator)],
        env: [{ name: 'HOME', value: '/run/meanfield' }],
        ports: [
          { name: 'nats', containerPort: NATS_PORT },
          { name: 'metrics', containerPort: METRICS_PORT },
        ],
        resources: { requests: { cpu: '1', memory: plan.workers.memory } },
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [
          { name: 'run', mountPath: '/run/meanfield' },
          { name: 'corpus', mountPath: '/corpus', readOnly: true },
          { name: 'programs', mountPath: PROGRAMS, readOnly: true },
        ],
      },
    ],
    volumes: [
      { name: 'programs', emptyDir: {} },
      { name: 'run', persistentVolumeClaim: { claimName: `${plan.name}-coordinator` } },
      corpus.kind === 'file'
        ? { name: 'corpus', configMap: { name: `${plan.name}-corpus` } }
        : { name: 'corpus', persistentVolumeClaim: { claimName: corpus.claim, readOnly: true } },
    ],
  };
}

/** Starts the run, or carries on with the one in the folder. */
function script(plan: KubernetesPlan, { corpus, start }: CoordinatorPlan): string {
  const paths = corpus.kind === 'file' ? [corpus.name] : corpus.paths;
  const files = paths.map((path) => shellWord(`/corpus/${path}`)).join(' ');
  const options = [
    `--host ${plan.name}-coordinator --port ${NATS_PORT}`,
    `--metrics-port ${METRICS_PORT}`,
    '--run /run/meanfield/run',
  ].join(' ');
  return [
    `PATH="$PATH:${PROGRAMS}"`,
    'umask 077',
    'if [ -e /run/meanfield/run/run.json ]; then',
    `  exec meanfield cluster start ${options} --resume --force > ${START_OUTPUT}`,
    'fi',
    `exec meanfield cluster start ${files} ${options}${start.map((word) => ` ${shellWord(word)}`).join('')} > ${START_OUTPUT}`,
  ].join('\n');
}
