export { RESIDUAL_BOUND } from './measure.js';
export { linpackBytes } from './memory.js';
export { type LinpackOptions, type LinpackResult, runLinpack } from './threads.js';
