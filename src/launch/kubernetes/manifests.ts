import { stringify } from 'yaml';
import { coordinatorManifests } from './coordinator.js';
import { coordinatorPolicy, coordinatorService, workersPolicy } from './network.js';
import { type CoordinatorPlan, checkPlan, checkQuantity, type KubernetesPlan, type Manifest } from './plan.js';
import { invitationSecret, workersJob } from './workers.js';

/**
 * Workers for a run that exists: the invitation, what they may reach, and an indexed Job.
 *
 * @param servers ports of the run's servers
 * @throws UsageError when the plan is wrong
 */
export function workerManifests(plan: KubernetesPlan, invitation: string, servers: readonly number[]): Manifest[] {
  checkPlan(plan);
  return [invitationSecret(plan, invitation), workersPolicy(plan, servers), workersJob(plan)];
}

/**
 * All that a run needs: the coordinator with its server, and workers. The workers wait for a Secret with the coordinator's invitation,
 * `NAME-invitation`, which is made when it has printed one.
 *
 * @throws UsageError when the plan is wrong
 */
export function runManifests(plan: KubernetesPlan, coordinator: CoordinatorPlan): Manifest[] {
  checkPlan(plan);
  checkQuantity('storage', coordinator.storage);
  return [
    coordinatorService(plan),
    coordinatorPolicy(plan),
    workersPolicy(plan),
    ...coordinatorManifests(plan, coordinator),
    workersJob(plan),
  ];
}

/** As YAML documents, for `kubectl apply -f -`. */
export function manifestsYaml(manifests: readonly Manifest[]): string {
  // YAML 1.1 as kubectl reads it, where yes, no and 0o are not what they seem: strings that may be misread are quoted.
  const documents = manifests.map((manifest) => stringify(manifest, { version: '1.1', aliasDuplicateObjects: false }));
  return documents.join('---\n');
}
