export { manifestsYaml, runManifests, workerManifests } from './manifests.js';
export { type CoordinatorPlan, type CorpusPlan, type KubernetesPlan, LARGEST_FILE, type WorkersPlan } from './plan.js';
