import type { RefusalCode, WorkerMessage } from './events.js';
import { find } from './order.js';
import type { RoundsState, WorkerState } from './types.js';

/** Why a message does not count. */
export interface Objection {
  readonly code: RefusalCode;
  readonly reason: string;
}

/** Whether the message is for this run and its sender is one that may speak at all (rule 1). */
export function objectionToRun(state: RoundsState, message: WorkerMessage): Objection | null {
  if (message.run !== state.run)
    return { code: 'wrong-run', reason: `this is run ${state.run}, the message is of run ${message.run}` };
  if (message.worker === '' || !Number.isSafeInteger(message.incarnation))
    return {
      code: 'malformed',
      reason: `a worker needs a name and a whole number as incarnation; got '${message.worker}', ${message.incarnation}`,
    };
  if (state.evicted.includes(message.worker)) return { code: 'evicted', reason: `${message.worker} was evicted` };
  const suspended = find(state.suspended, message.worker);
  if (suspended) return { code: 'suspended', reason: suspended.reason };
  if (state.phase === 'stopped') return { code: 'stopped', reason: `run ${state.run} is over` };
  return null;
}

/** The worker that sent this, or why it is none of this run's (rule 1). */
export function senderOf(state: RoundsState, message: WorkerMessage): WorkerState | Objection {
  const objection = objectionToRun(state, message);
  if (objection) return objection;
  const { worker: name, incarnation } = message;
  const worker = find(state.workers, name);
  if (!worker) {
    const gone = find(state.departed, name);
    const hint = gone ? `; incarnation ${gone.incarnation} has left or was taken for dead` : '';
    return {
      code: 'unknown-worker',
      reason: `${name} is not in the run${hint}; join with a greater incarnation`,
    };
  }
  if (incarnation < worker.incarnation)
    return {
      code: 'old-incarnation',
      reason: `${name} lives on as incarnation ${worker.incarnation}; this is of ${incarnation}`,
    };
  if (incarnation > worker.incarnation)
    return {
      code: 'new-incarnation',
      reason: `${name} is known as incarnation ${worker.incarnation}; ${incarnation} must join first`,
    };
  return worker;
}

export function isObjection(found: WorkerState | Objection): found is Objection {
  return 'code' in found;
}

/** Past and future rounds are refused alike (rule 1). */
export function objectionToRound(got: number, expected: number, what: string): Objection | null {
  if (got === expected) return null;
  if (!Number.isSafeInteger(got)) return { code: 'malformed', reason: `${what} must be a whole number; got ${got}` };
  return got < expected
    ? { code: 'past-round', reason: `${what} is ${expected}; ${got} is past` }
    : { code: 'future-round', reason: `${what} is ${expected}; ${got} is still to come` };
}
