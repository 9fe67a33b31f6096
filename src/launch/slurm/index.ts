export { followGroup, groupText } from './follow.js';
export { type RunSlurm, runSlurm } from './run-slurm.js';
export { cancelGroup, scaleGroup } from './scale.js';
export { type SlurmJob, slurmScript } from './script.js';
export { submitScript, writeSlurmJob } from './submit.js';
