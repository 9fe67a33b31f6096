import { stringify } from 'yaml';
import { coordinatorManifests } from './coordinator.js';
import { natsManifests } from './nats.js';
import { type CoordinatorPlan, checkPlan, checkQuantity, type KubernetesPlan, type Manifest } from './plan.js';
import { invitationSecret, workersJob } from './workers.js';

/** Workers for a run that exists: the invitation and an indexed Job. @throws UsageError when the plan is wrong */
export function workerManifests(plan: KubernetesPlan, invitation: string): Manifest[] {
  checkPlan(plan);
  return [invitationSecret(plan, invitation), workersJob(plan)];
}

/**
 * All that a run needs: NATS, coordinator and workers. The workers wait for a Secret with the coordinator's invitation,
 * `NAME-invitation`, which is made when it has printed one.
 *
 * @throws UsageError when the plan is wrong
 */
export function runManifests(plan: KubernetesPlan, coordinator: CoordinatorPlan): Manifest[] {
  checkPlan(plan);
  checkQuantity('--storage', coordinator.storage);
  return [...natsManifests(plan, coordinator), ...coordinatorManifests(plan, coordinator), workersJob(plan)];
}

/** As YAML documents, for `kubectl apply -f -`. */
export function manifestsYaml(manifests: readonly Manifest[]): string {
  // YAML 1.1 as kubectl reads it, where yes, no and 0o are not what they seem: strings that may be misread are quoted.
  const documents = manifests.map((manifest) => stringify(manifest, { version: '1.1', aliasDuplicateObjects: false }));
  return documents.join('---\n');
}
