export type { Confidence, Spread } from './bootstrap.js';
export { chinchillaPoints } from './chinchilla.js';
export type { LawFit } from './fit.js';
export { type BrainSize, brainSizes, findBrain, findLaw, type ScalingLaw, scalingLaws } from './laws.js';
export { type Budget, computeOptimal, type Optimum } from './optimum.js';
export { type LossPoint, lossOf, type ParametricLaw } from './parametric.js';
export { type FitOptions, fitPoints, fitTable, type TableFit } from './table.js';
