import {
  CONTAINER_SECURITY,
  type CoordinatorPlan,
  type KubernetesPlan,
  labels,
  type Manifest,
  metadata,
  POD_SECURITY,
} from './plan.js';

const PORTS = { client: 4222, route: 6222, monitor: 8222 } as const;
/** The user whose password is in the Secret. */
export const NATS_USER = 'meanfield';

/** Servers with JetStream, each with storage of its own, behind one name: `NAME-nats`. */
export function natsManifests(plan: KubernetesPlan, coordinator: CoordinatorPlan): Manifest[] {
  const { natsServers, natsImage, storage, storageClass, password } = coordinator;
  const own = metadata(plan, 'nats');
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: own, type: 'Opaque', stringData: { password } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: own,
      data: { 'nats.conf': configuration(plan.name, natsServers) },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: own,
      spec: {
        // Headless: each server has an address of its own, and those that are not ready yet find one another.
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        selector: labels(plan, 'nats'),
        ports: Object.entries(PORTS).map(([name, port]) => ({ name, port, targetPort: name })),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: own,
      spec: {
        serviceName: own.name,
        replicas: natsServers,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: labels(plan, 'nats') },
        template: {
          metadata: { labels: labels(plan, 'nats') },
          spec: {
            terminationGracePeriodSeconds: 60,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            containers: [server(plan, natsImage)],
            volumes: [{ name: 'configuration', configMap: { name: own.name } }],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'store' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
              resources: { requests: { storage } },
            },
          },
        ],
      },
    },
  ];
}

function server(plan: KubernetesPlan, image: string): object {
  const probe = (path: string) => ({ httpGet: { path, port: 'monitor' }, periodSeconds: 5, timeoutSeconds: 3 });
  return {
    name: 'nats',
    image,
    command: ['nats-server', '--config', '/etc/meanfield/nats.conf'],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'NATS_PASSWORD', valueFrom: { secretKeyRef: { name: `${plan.name}-nats`, key: 'password' } } },
    ],
    ports: Object.entries(PORTS).map(([name, containerPort]) => ({ name, containerPort })),
    // Ready is one thing, a server that recovers its streams another: only one that is dead is started again.
    readinessProbe: probe('/healthz?js-server-only=true'),
    livenessProbe: { ...probe('/varz'), failureThreshold: 12 },
    resources: { requests: { cpu: '500m', memory: '512Mi' } },
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'configuration', mountPath: '/etc/meanfield', readOnly: true },
      { name: 'store', mountPath: '/data' },
    ],
  };
}

/** In the server's own language; `$NAME` is taken from its environment. */
function configuration(name: string, servers: number): string {
  const lines = [
    'server_name: $POD_NAME',
    `listen: "0.0.0.0:${PORTS.client}"`,
    `http: "0.0.0.0:${PORTS.monitor}"`,
    'max_payload: 8MB',
    'max_pending: 256MB',
    'write_deadline: "60s"',
    `authorization { user: ${NATS_USER}, password: $NATS_PASSWORD }`,
    'jetstream { store_dir: "/data" }',
  ];
  if (servers > 1) {
    const routes = Array.from({ length: servers }, (_, i) => `nats://${name}-nats-${i}.${name}-nats:${PORTS.route}`);
    lines.push(`cluster { name: ${name}, listen: "0.0.0.0:${PORTS.route}", routes: [ ${routes.join(', ')} ] }`);
  }
  return `${lines.join('\n')}\n`;
}
