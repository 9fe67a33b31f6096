export type { Machine } from './coordinator.js';
export { Violation } from './monitor.js';
export { type LineOptions, SimulatedNetwork } from './network.js';
export { type Action, randomSchedule, type Schedule, type ScheduleKind } from './schedule.js';
export { type SimulationResult, simulate } from './simulate.js';
export type { Character } from './worker.js';
