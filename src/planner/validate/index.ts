export { type CalibrationResult, calibrate, type PairFit } from './calibrate.js';
export { errorPoints } from './error-points.js';
export { fitEfficiencies } from './fit.js';
export { fitConstants } from './fit-constants.js';
export { leaveMemoryOut } from './fit-memory.js';
export { type LeftOut, leaveOneSourceOut } from './leave-out.js';
export { type ComparedRow, isJudged, type RowResult } from './row.js';
export { type Validation, type ValidationResult, validateRows } from './validate.js';
