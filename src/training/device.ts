/** Devices and engines for the rooms below, which do not see `engine/` itself. */
export { chooseDevice, createEngine } from '../engine/node/create.js';
