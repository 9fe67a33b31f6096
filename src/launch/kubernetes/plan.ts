import { UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';

/** A Kubernetes object, as it is written in YAML. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

/** What all objects of a run on Kubernetes share. */
export interface KubernetesPlan {
  /** Begins the name of every object. */
  readonly name: string;
  readonly namespace?: string;
  /** A container image that has `meanfield` on its PATH. */
  readonly image: string;
  readonly workers: WorkersPlan;
}

export interface WorkersPlan {
  readonly count: number;
  /** Cores of each. */
  readonly cpus: number;
  /** Memory of each, as Kubernetes takes it: `4Gi`. */
  readonly memory: string;
  readonly gpus: number;
  /** Options of `meanfield join`. */
  readonly join: readonly string[];
}

/** The coordinator with its NATS server, where it runs on the same cluster. */
export interface CoordinatorPlan {
  readonly corpus: CorpusPlan;
  /** Options of `meanfield cluster start`. */
  readonly start: readonly string[];
  /** Has `nats-server` on its PATH; statically linked, as the official images have it. */
  readonly natsImage: string;
  /** Of the run folder, in which the server stores too: `10Gi`. */
  readonly storage: string;
  readonly storageClass?: string;
}

export type CorpusPlan =
  /** Goes along as a ConfigMap. */
  | { readonly kind: 'file'; readonly name: string; readonly content: Uint8Array }
  /** Lies on a volume that is there already: the claim's name, and paths from its root. */
  | { readonly kind: 'claim'; readonly claim: string; readonly paths: readonly string[] };

/** What a ConfigMap may hold, in bytes, with room for the rest of it: base64 takes a third more. */
export const LARGEST_FILE = 700_000;

/** @throws UsageError when Kubernetes would refuse a name or a size */
export function checkPlan(plan: KubernetesPlan): void {
  // Names of pods are longer than these by at most 20 characters, and may have 63.
  if (!/^[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?$/.test(plan.name))
    refuse('name', `1 to 40 lower-case letters, digits and dashes, beginning with a letter; got ${plan.name}`);
  if (plan.namespace !== undefined && !/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(plan.namespace))
    refuse('namespace', `1 to 63 lower-case letters, digits and dashes; got ${plan.namespace}`);
  checkQuantity('memory', plan.workers.memory);
  if (/\s/.test(plan.image) || plan.image === '')
    refuse('image', `the name of a container image; got ${JSON.stringify(plan.image)}`);
}

/** @throws UsageError when it is no size such as `4Gi` */
export function checkQuantity(option: string, value: string): void {
  if (!/^[1-9]\d*(?:\.\d+)?(?:[KMGTP]i|[kMGTP])?$/.test(value))
    refuse(option, `a size such as 512Mi or 4Gi; got ${value}`);
}

function refuse(name: string, allowed: string): never {
  throw spelledError(UsageError, ({ option }) => `${option(name)} must be ${allowed}.`);
}

export function metadata(plan: KubernetesPlan, component: string): Manifest['metadata'] {
  return {
    name: `${plan.name}-${component}`,
    ...(plan.namespace === undefined ? {} : { namespace: plan.namespace }),
    labels: labels(plan, component),
  };
}

/** The labels that Kubernetes recommends; they also tell the pods of one run's parts. */
export function labels(plan: KubernetesPlan, component: string): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': 'meanfield',
    'app.kubernetes.io/instance': plan.name,
    'app.kubernetes.io/component': component,
  };
}

/** What the strictest of Kubernetes' pod security standards asks of a pod. */
export const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

/** The same of a container. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
} as const;
