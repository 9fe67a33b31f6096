export { followGroup, type GroupState, groupState, groupText } from './follow.js';
export { type RunSlurm, runSlurm } from './run-slurm.js';
export { cancelGroup, type Scaling, scaleGroup } from './scale.js';
export { type SlurmJob, slurmScript } from './script.js';
export { submitScript, writeSlurmJob } from './submit.js';
