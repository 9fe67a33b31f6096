export { type Constants, fittedTime, shippedConstants } from './constants.js';
export { readCsv } from './csv.js';
export { fitEfficiencies } from './fit.js';
export { fitConstants } from './fit-constants.js';
export { leaveMemoryOut } from './fit-memory.js';
export { findFramework } from './frameworks.js';
export { type LeftOut, leaveOneSourceOut } from './leave-out.js';
export { type Compared, isJudged, type RowResult } from './row.js';
export { type Validation, type ValidationResult, validateRows } from './validate.js';
