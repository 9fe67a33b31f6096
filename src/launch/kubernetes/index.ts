export { START_OUTPUT } from './coordinator.js';
export { manifestsYaml, runManifests, workerManifests } from './manifests.js';
export { type CoordinatorPlan, type CorpusPlan, type KubernetesPlan, LARGEST_FILE } from './plan.js';
