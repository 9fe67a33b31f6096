export { estimateRmax, type RmaxEstimate } from './estimate.js';
export { type LinpackSetting, payingBandwidth, predictLinpack } from './linpack-time.js';
export { findList, type Top500Entry, type Top500List, top500Lists } from './lists.js';
export { rankOf, type Top500Rank } from './rank.js';
