export * from './create.js';
export * from './events.js';
export type * from './member/types.js';
export { createMember, memberTick, waitOf } from './member.js';
export { decideGathering, decideRound, type GatheringDecision, type RoundDecision } from './quorum.js';
export * from './simulation/index.js';
export { tick } from './tick.js';
export * from './types.js';
export { nextDeadline, waitingFor } from './waiting.js';
