export { type Constants, shippedConstants } from './constants.js';
export { readCsv } from './csv.js';
export { fitEfficiencies } from './fit.js';
export { fitConstants } from './fit-constants.js';
export { findFramework } from './frameworks.js';
export { type LeftOut, leaveOneSourceOut } from './leave-out.js';
export type { Compared, RowResult } from './row.js';
export { type Validation, type ValidationResult, validateRows } from './validate.js';
