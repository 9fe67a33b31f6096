import { createRounds, threadOptions } from './create.js';
import type { Contribute, Effect, RoundsEvent, WorkerMessage } from './events.js';
import { tick } from './tick.js';
import type { RoundOptions, RoundsState } from './types.js';

export const RUN = 'run';
export const LAYOUT = { hash: 'layout', length: 4 };

/** Options of a run between machines with round numbers, for tests. */
export const MACHINES: RoundOptions = {
  ...threadOptions(1, 10),
  quorum: 0.5,
  grace: 100,
  heartbeatTimeout: 1000,
  roundTimeout: 5000,
  outlierFactor: 10,
};

/** Plays events by hand and keeps what came of them. */
export class Play {
  state: RoundsState;
  now = 0;
  /** Of the last event. */
  effects: readonly Effect[] = [];
  reason = '';

  constructor(options: RoundOptions) {
    const committed = { round: 0, hash: 'h0' };
    this.state = createRounds({ run: RUN, layout: LAYOUT, options, committed, now: 0 });
  }

  tell(event: RoundsEvent): this {
    const step = tick(this.state, event, this.now);
    this.state = step.state;
    this.effects = step.effects;
    this.reason = step.reason;
    return this;
  }

  at(now: number): this {
    this.now = now;
    return this.tell({ type: 'timer' });
  }

  join(worker: string, incarnation = 1): this {
    return this.tell({ ...from(worker, incarnation), type: 'join', layoutHash: 'layout', stepsPerSecond: null });
  }

  leave(worker: string, incarnation = 1): this {
    return this.tell({ ...from(worker, incarnation), type: 'leave', reason: 'test' });
  }

  report(worker: string, hash = this.state.committed.hash, incarnation = 1): this {
    const { committed, open, round } = this.state;
    const closed = open ? open.round - 1 : round;
    return this.tell({ ...from(worker, incarnation), type: 'report', round: committed.round, closed, hash });
  }

  contribute(worker: string, changes: Partial<Contribute> = {}): this {
    const steps = this.state.open?.members.find((member) => member.worker === worker)?.steps ?? 10;
    const all = contribution(worker, this.state.round, this.state.committed.hash);
    return this.tell({ ...all, steps, tokens: 64 * steps, weight: 64 * steps, ...changes });
  }

  /** Joins and reports; a round that opens then opens with all of them. */
  ready(...workers: string[]): this {
    for (const worker of workers) this.join(worker);
    const { options, phase } = this.state;
    const least = phase === 'gathering' ? Math.max(workers.length, options.minimumMembers) : options.minimumMembers;
    this.state = { ...this.state, options: { ...options, minimumMembers: least } };
    for (const worker of workers) this.report(worker);
    this.state = { ...this.state, options };
    return this;
  }

  /** The codes of the last event's refusals. */
  get refusals(): string[] {
    return this.effects.flatMap((effect) => (effect.type === 'refuse' ? effect.code : []));
  }

  /** The types of the last event's effects, `waiting` aside. */
  get types(): string[] {
    return this.effects.flatMap(({ type }) => (type === 'waiting' ? [] : type));
  }

  effect<T extends Effect['type']>(type: T): Extract<Effect, { type: T }> | undefined {
    return this.effects.find((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  }

  get members(): Record<string, string> {
    return Object.fromEntries((this.state.open?.members ?? []).map(({ worker, status }) => [worker, status]));
  }
}

export function from(worker: string, incarnation = 1): Pick<WorkerMessage, 'run' | 'worker' | 'incarnation'> {
  return { run: RUN, worker, incarnation };
}

export function contribution(worker: string, round: number, baseHash: string): Contribute {
  return {
    ...from(worker),
    type: 'contribution',
    round,
    tokens: 640,
    weight: 640,
    steps: 10,
    seconds: 1,
    baseHash,
    layoutHash: LAYOUT.hash,
    length: LAYOUT.length,
    finite: true,
    norm: 1,
    contentHash: `content of ${worker} in ${round}`,
  };
}
