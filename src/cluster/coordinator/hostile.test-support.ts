import fc from 'fast-check';
import { createRounds, machineOptions } from '../../rounds/index.js';
import { encodeMessage } from '../protocol/wire.js';
import { firstState, hashOf, refOf, weightOf } from './coordinator.test-support.js';
import { inputOf } from './inputs.js';
import { readMessage } from './mailbox.js';
import { decodeState, encodeState, type RunState } from './run-state.js';
import { leasedTo, type RunContext, type RunInput, stepRun } from './step-run.js';

export const HONEST = ['a', 'b'] as const;
export const HOSTILE = ['x', 'y'] as const;
/** H, and what a step of it comes to. */
export const STEPS = 64;
export const TOKENS_PER_STEP = 20;
export const NORM_PER_STEP = 1;

const context: RunContext = {
  plan: { schedule: 1e6, mostSteps: 1e6, mostTokens: null, mostSeconds: null },
  samplesPerStep: 2,
  tokensPerStep: TOKENS_PER_STEP,
  weigh: weightOf,
  steps: STEPS,
  fragments: 1,
};

/** One thing that happens in a run with hostile workers. */
export type Move =
  | { readonly type: 'honest'; readonly worker: (typeof HONEST)[number] }
  | { readonly type: 'hostile'; readonly worker: (typeof HOSTILE)[number]; readonly say: Say }
  | { readonly type: 'time'; readonly milliseconds: number }
  | { readonly type: 'merge'; readonly fails: boolean }
  | { readonly type: 'restart' };

/** A message that would be right but for some of its fields. */
interface Say {
  readonly kind: number;
  readonly changes: readonly { readonly field: number; readonly value: unknown }[];
}

const numbers = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    1,
    2,
    -1,
    0.5,
    15,
    16,
    17,
    320,
    2 ** 31,
    2 ** 32,
    2 ** 50,
    2 ** 53 - 1,
    2 ** 53,
    1e308,
    5e-324,
  ),
  fc.integer(),
  fc.double(),
);
export const speeds = fc.tuple(numbers, numbers);
const values = fc.oneof(
  { weight: 6, arbitrary: numbers },
  { weight: 1, arbitrary: fc.constantFrom(null, true, false, '', 'NaN', [], {}, 'x'.repeat(3000), hashOf(0)) },
);
const say = fc.record({
  kind: fc.nat(4),
  changes: fc.array(fc.record({ field: fc.nat(40), value: values }), { maxLength: 3 }),
});

export const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant('honest' as const), worker: fc.constantFrom(...HONEST) }) },
    {
      weight: 6,
      arbitrary: fc.record({ type: fc.constant('hostile' as const), worker: fc.constantFrom(...HOSTILE), say }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('time' as const), milliseconds: fc.integer({ min: 1, max: 5000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('merge' as const), fails: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
  ),
  { minLength: 10, maxLength: 60 },
);

/** A run under a virtual clock: each message goes the way of bytes, each state is stored and read again. */
export class HostilePlay {
  state: RunState;
  now = 0;
  #incarnations = new Map<string, number>();
  #commits = 0;

  /** @param speeds that the hostile ones tell when they join */
  constructor(speeds: readonly number[]) {
    const rounds = createRounds({
      run: 'r',
      layout: { hash: 'layout', length: 4 },
      committed: { round: 0, hash: hashOf(0) },
      options: machineOptions({
        steps: STEPS,
        minimumMembers: 2,
        tokensPerStep: TOKENS_PER_STEP,
        normPerStep: NORM_PER_STEP,
        roundTimeout: 20_000,
      }),
      now: 0,
    });
    this.state = { ...firstState(), rounds };
    for (const worker of HONEST) this.#join(worker);
    for (const [i, worker] of HOSTILE.entries()) this.#join(worker, speeds[i]);
  }

  move(move: Move): void {
    switch (move.type) {
      case 'honest':
        this.#honest(move.worker);
        break;
      case 'hostile':
        this.#hear(move.worker, this.#lie(move.worker, move.say));
        break;
      case 'time':
        this.now += move.milliseconds;
        for (const worker of HONEST) this.#hear(worker, this.#heartbeat(worker));
        this.happen({ type: 'event', event: { type: 'timer' } });
        break;
      case 'merge':
        this.#merge(move.fails);
        break;
      case 'restart':
        // Another machine, whose clock began later.
        this.now = 1000;
        this.state = decodeState(encodeState(this.state), 'the store');
        this.happen({ type: 'event', event: { type: 'restart' } });
    }
  }

  happen(input: RunInput): void {
    this.state = stepRun(context, this.state, input, this.now).state;
  }

  #hear(worker: string, body: object): void {
    const message = readMessage(encodeMessage(body), worker);
    if (!('type' in message) || message.type === 'reduced' || message.type === 'reduce-failed') return;
    const input = inputOf(message, () => 4);
    if (typeof input !== 'string') this.happen(input);
  }

  #sender(worker: string) {
    return { run: 'r', worker, incarnation: this.#incarnations.get(worker) ?? 0 };
  }

  #join(worker: string, stepsPerSecond: number | null = null): void {
    this.#incarnations.set(worker, (this.#incarnations.get(worker) ?? -1) + 1);
    this.#hear(worker, { type: 'join', ...this.#sender(worker), layoutHash: 'layout', stepsPerSecond });
  }

  #honest(worker: string): void {
    const { workers, open } = this.state.rounds;
    const own = workers.find((one) => one.worker === worker);
    const member = open?.members.find((one) => one.worker === worker);
    if (!own) this.#join(worker);
    else if (own.status !== 'ready') this.#hear(worker, this.#report(worker));
    else if (member?.status === 'training' && this.state.rounds.phase === 'training')
      this.#hear(worker, this.#contribution(worker, member.steps));
    else this.#hear(worker, this.#heartbeat(worker));
  }

  #merge(fails: boolean): void {
    const { open, phase } = this.state.rounds;
    if (phase !== 'merging') return;
    const { round } = open!;
    if (fails) {
      const liar = open!.members.find((one) => one.status === 'contributed' && HOSTILE.includes(one.worker as 'x'));
      const workers = liar ? [liar.worker] : [];
      this.happen({ type: 'event', event: { type: 'mergeFailed', round, reason: 'damaged', workers } });
      return;
    }
    const event = { type: 'merged', round, hash: hashOf(1000 + ++this.#commits) } as const;
    this.happen({ type: 'merged', event, manifest: refOf(`run/r/${round}/x/list`) });
  }

  #heartbeat(worker: string) {
    const { committed, open } = this.state.rounds;
    const member = open?.members.some((one) => one.worker === worker);
    const traffic = { sent: 1, received: 1 };
    return {
      type: 'heartbeat',
      ...this.#sender(worker),
      holds: committed.round,
      round: member ? open!.round : null,
      traffic,
    };
  }

  #report(worker: string) {
    const { committed, open, round } = this.state.rounds;
    const closed = open === null ? round : open.round - 1;
    return {
      type: 'report',
      ...this.#sender(worker),
      round: committed.round,
      closed,
      hash: committed.hash,
      gatherSeconds: 0,
    };
  }

  #contribution(worker: string, steps: number) {
    const { committed, round } = this.state.rounds;
    return {
      type: 'contribution',
      ...this.#sender(worker),
      round,
      ...{
        tokens: steps * TOKENS_PER_STEP,
        weight: weightOf(leasedTo(this.state.ledger, worker, round)),
        steps,
        seconds: 2,
        baseHash: committed.hash,
        layoutHash: 'layout',
        length: 4,
      },
      ...{ finite: true, norm: steps * NORM_PER_STEP * 0.5, manifest: refOf(`${worker}/c/${round}/0/list`), loss: 2 },
      ...{ gradientNorm: 1, uploadSeconds: 1, traffic: { sent: 1, received: 1 } },
    };
  }

  /** What would be right now, with some fields changed; a hostile worker may also begin a new life. */
  #lie(worker: string, { kind, changes }: Say): object {
    const member = this.state.rounds.open?.members.find((one) => one.worker === worker);
    const known = this.state.rounds.workers.find((one) => one.worker === worker);
    if (!known && kind === 0) this.#incarnations.set(worker, (this.#incarnations.get(worker) ?? 0) + 1);
    const { stepsPerSecond, layoutHash } = { stepsPerSecond: 3, layoutHash: 'layout' };
    const bodies = [
      { type: 'join', ...this.#sender(worker), layoutHash, stepsPerSecond },
      this.#report(worker),
      this.#contribution(worker, member?.steps ?? STEPS),
      this.#heartbeat(worker),
      { type: 'leave', ...this.#sender(worker), reason: 'enough' },
    ];
    const body = JSON.parse(JSON.stringify(bodies[kind]));
    const places = fieldsOf(body);
    for (const { field, value } of changes) {
      const [holder, key] = places[field % places.length]!;
      holder[key] = value;
    }
    return body;
  }
}

/** Every field of a message, those within others too. */
function fieldsOf(body: Record<string, unknown>): [Record<string, unknown>, string][] {
  return Object.entries(body).flatMap(([key, value]): [Record<string, unknown>, string][] =>
    typeof value === 'object' && value !== null
      ? [[body, key], ...fieldsOf(value as Record<string, unknown>)]
      : key === 'type' || key === 'worker'
        ? []
        : [[body, key]],
  );
}
