export {
  type Calibration,
  type CalibrationResult,
  calibrate,
  calibrationJson,
  type PairFit,
  readCalibration,
} from './calibrate.js';
export { type Constants, fittedTime, shippedConstants } from './constants.js';
export { readCsv } from './csv.js';
export { errorPoints } from './error-points.js';
export { fitEfficiencies } from './fit.js';
export { fitConstants } from './fit-constants.js';
export { leaveMemoryOut } from './fit-memory.js';
export { findFramework } from './frameworks.js';
export { coverage, featuresOf, pointsJson, type SpeedInterval, speedInterval } from './interval.js';
export { type LeftOut, leaveOneSourceOut } from './leave-out.js';
export { type Compared, isJudged, type RowResult } from './row.js';
export { type Validation, type ValidationResult, validateRows } from './validate.js';
