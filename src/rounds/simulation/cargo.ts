import type { Contribute, WorkerMessage } from '../events.js';
import type { Cargo, MemberInput, MemberState, MemberStep, MessageToMember } from '../member/types.js';
import type { SimulatedChain } from './store.js';

/** What became of a shard; `null`: it could not be summed. */
export interface SimulatedSum {
  readonly round: number;
  readonly attempt: string;
  readonly shard: number;
  readonly value: number | null;
}

/** What simulated members and coordinators carry. */
export interface SimulatedCargo extends Cargo {
  readonly chain: SimulatedChain;
  readonly work: { readonly steps: number; readonly fragment: number };
  readonly contribution: Omit<Contribute, 'run' | 'worker' | 'incarnation'>;
  readonly reduction: {
    readonly contributions: readonly { readonly contentHash: string; readonly weight: number }[];
  };
  readonly sum: SimulatedSum;
}

export type SimulatedMessage = MessageToMember<SimulatedCargo>;
/** What goes to the coordinator: to the rounds' machine, or to the merge. */
export type FromSimulated =
  | WorkerMessage
  | (SimulatedSum & { readonly type: 'sum'; readonly worker: string; readonly incarnation: number });

/** The member's machine under test: `memberTick`, or one with a rule broken on purpose. */
export type MemberMachine = (
  state: MemberState<SimulatedCargo>,
  event: MemberInput<SimulatedCargo>,
) => MemberStep<SimulatedCargo>;
