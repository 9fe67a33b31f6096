import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import {
  type CoordinatorPlan,
  type CorpusPlan,
  type KubernetesPlan,
  LARGEST_FILE,
  manifestsYaml,
  runManifests,
  START_OUTPUT,
  workerManifests,
} from '../../launch/kubernetes/index.js';
import { decodeInvitation, type Invitation } from '../../transport/trust/invitation.js';
import type { Context } from '../terminal/context.js';
import { shellQuote } from '../terminal/format.js';
import { KUBERNETES_OPTIONS, type KubernetesFlags, type KubernetesOptions } from './launch-options.js';
import { checked, joinWords } from './launch-slurm.js';

/** Writes the manifests of workers, or with `--corpus` of a whole run. */
export async function launchKubernetes(
  invitation: string | undefined,
  given: KubernetesFlags,
  { output }: Context,
): Promise<number> {
  const flags = checked('kubernetes', KUBERNETES_OPTIONS, given);
  // As in join: from here on the process list does not show it.
  process.title = 'meanfield launch kubernetes';
  const corpus = flags.corpus ?? [];
  if ((invitation === undefined) === (corpus.length === 0))
    throw new UsageError(
      'Give either an invitation, for workers of a run that exists, or --corpus, for a run with all it needs.',
    );
  const plan: KubernetesPlan = {
    name: flags.name,
    ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
    image: flags.image,
    workers: {
      count: flags.workers,
      cpus: flags.cpus,
      memory: flags.memory,
      gpus: flags.gpus,
      join: joinWords(given, flags.cpus),
    },
  };
  const manifests =
    invitation === undefined
      ? runManifests(plan, await coordinatorPlan(flags, corpus))
      : workerManifests(plan, invitation.replace(/\s/g, ''), portsOf(decodeInvitation(invitation)));
  const yaml = manifestsYaml(manifests);
  const kinds = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  if (flags.out === undefined) output.text(yaml);
  // The invitation is in it.
  else await writeFileAtomic(flags.out, yaml, { secret: true });
  output.event({ type: 'result', objects: kinds, ...(flags.out === undefined ? { yaml } : { file: flags.out }) });
  output.note(advice(plan, flags.out, invitation === undefined));
  return 0;
}

async function coordinatorPlan(flags: KubernetesOptions, corpus: readonly string[]): Promise<CoordinatorPlan> {
  return {
    corpus: await corpusPlan(flags, corpus),
    start: flags.start?.split(/\s+/).filter((word) => word !== '') ?? [],
    natsImage: flags.natsImage,
    storage: flags.storage,
    ...(flags.storageClass === undefined ? {} : { storageClass: flags.storageClass }),
  };
}

async function corpusPlan(flags: KubernetesOptions, corpus: readonly string[]): Promise<CorpusPlan> {
  if (flags.corpusClaim !== undefined) {
    return { kind: 'claim', claim: flags.corpusClaim, paths: corpus.map((path) => path.replace(/^\/+/, '')) };
  }
  const path = corpus[0]!;
  if (corpus.length > 1)
    throw new UsageError('One file can go along in a manifest. Put more of them on a volume: --corpus-claim NAME.');
  let content: Uint8Array;
  try {
    content = await readFile(path);
  } catch (error) {
    throw new MeanfieldError(
      `Cannot read ${path}: ${messageOf(error)}. With --corpus-claim NAME, --corpus is a path on that volume.`,
      { cause: error },
    );
  }
  const packed = path.endsWith('.gz') ? content : gzipSync(content, { level: 9 });
  if (packed.length > LARGEST_FILE)
    throw new MeanfieldError(
      `${path} takes ${packed.length} bytes compressed; a manifest may hold ${LARGEST_FILE}. Put it on a volume ` +
        'and name its claim: --corpus-claim NAME.',
    );
  // A ConfigMap's keys are of few characters, and end as the file did so that its kind is known.
  const name = basename(path).replace(/[^\w.-]/g, '_');
  return { kind: 'file', name: path.endsWith('.gz') ? name : `${name}.gz`, content: packed };
}

/** At which the servers of an invitation listen. */
function portsOf({ servers }: Invitation): number[] {
  const port = (url: string) => Number(new URL(url.includes('://') ? url : `nats://${url}`).port || 4222);
  return [...new Set(servers.map(port))];
}

/** What to do next. Nothing of it shows the invitation, in a terminal or in a list of processes. */
function advice(plan: KubernetesPlan, out: string | undefined, whole: boolean): string {
  const kubectl = plan.namespace === undefined ? 'kubectl' : `kubectl -n ${plan.namespace}`;
  const lines = out === undefined ? [] : [`Apply it: kubectl apply -f ${shellQuote(out)}`];
  if (whole) {
    lines.push(
      'The workers wait for the invitation. When the coordinator says that it leads, hand it over:',
      `  ${kubectl} exec job/${plan.name}-coordinator -c coordinator -- grep -oE 'mf2\\.[A-Za-z0-9_.-]+' ${START_OUTPUT} |`,
      `    ${kubectl} create secret generic ${plan.name}-invitation --from-file=invitation=/dev/stdin`,
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}
