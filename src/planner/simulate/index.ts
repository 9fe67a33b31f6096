export { type AveragingSummary, simulateAveraging } from './averaging/averaging.js';
export type { AveragingSpec, ReplicaSpec } from './averaging/spec.js';
export { chromeTrace, writeTrace } from './chrome-trace.js';
export { type CriticalLink, type ExchangeReport, simulateExchange } from './exchange/exchange.js';
export type { ExchangeSpec, LineKind } from './exchange/spec.js';
export { type PipelineSpec, type PipelineSummary, simulatePipeline } from './pipeline/pipeline.js';
export { type StepSimulation, type StepSimulationOptions, simulateStep } from './step/simulate-step.js';
export { finish, type Recording, record, type Simulation, type TimelineEvent, type Track } from './timeline.js';
export { simulateZero, type ZeroSpec, type ZeroSummary } from './zero/zero.js';
