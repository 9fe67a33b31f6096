import { type KubernetesPlan, labels, type Manifest, metadata } from './plan.js';

/** Where the coordinator's server listens. */
export const NATS_PORT = 4222;
/** Where Prometheus finds the coordinator's metrics. */
export const METRICS_PORT = 9464;

const DNS = 53;
/** Where data named by a URL is fetched. */
const WEB = [80, 443];

/** By which the workers' pods reach the coordinator's server: `NAME-coordinator`. */
export function coordinatorService(plan: KubernetesPlan): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(plan, 'coordinator'),
    spec: {
      selector: labels(plan, 'coordinator'),
      ports: [{ name: 'nats', port: NATS_PORT, targetPort: 'nats' }],
    },
  };
}

/**
 * The coordinator is reached by the run's workers, its metrics by pods of the cluster, and it reaches nobody: it talks to
 * the server in its own pod.
 */
export function coordinatorPolicy(plan: KubernetesPlan): Manifest {
  return policy(plan, 'coordinator', {
    ingress: [
      { from: [{ podSelector: { matchLabels: labels(plan, 'workers') } }], ports: tcp([NATS_PORT]) },
      { from: [{ namespaceSelector: {} }], ports: tcp([METRICS_PORT]) },
    ],
    egress: [],
  });
}

/**
 * Nobody reaches the workers. They reach the run's server, and names; where a host for the run's data is given, the web.
 *
 * @param servers ports of servers elsewhere; undefined: the server is the coordinator's pod
 */
export function workersPolicy(plan: KubernetesPlan, servers?: readonly number[]): Manifest {
  const server =
    servers === undefined
      ? { to: [{ podSelector: { matchLabels: labels(plan, 'coordinator') } }], ports: tcp([NATS_PORT]) }
      : { ports: tcp(servers) };
  const web = plan.workers.join.includes('--data-host') ? [{ ports: tcp(WEB) }] : [];
  const names = { ports: [{ protocol: 'UDP', port: DNS }, ...tcp([DNS])] };
  return policy(plan, 'workers', { ingress: [], egress: [server, names, ...web] });
}

function policy(plan: KubernetesPlan, component: string, rules: object): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(plan, component),
    spec: { podSelector: { matchLabels: labels(plan, component) }, policyTypes: ['Ingress', 'Egress'], ...rules },
  };
}

function tcp(ports: readonly number[]): object[] {
  return ports.map((port) => ({ protocol: 'TCP', port }));
}
