import { fragmentOf } from '../../averaging/fragments.js';
import { commit, type EpochRange, lease, release } from '../../data/ledger/index.js';
import {
  type Contribute,
  type Effect,
  type RoundsEvent,
  type RoundsState,
  type Step,
  tick,
} from '../../rounds/index.js';
import type { BlobRef } from '../../transport/transport.js';
import type { Chain } from '../protocol/down.js';
import { type Asking, ask, decide, withoutWaiting } from './approvals.js';
import { makeRoom, withoutNames } from './names.js';
import { advanceOf, isFinished, nextSteps, type RunLength, schedulePosition } from './plan.js';
import type { CommittedProgress, LastRound, RunState } from './run-state.js';

/** A training loss above this, in nats per token, is nothing that a model of ours comes to. */
const MOST_LOSS = 1e6;

/** What is fixed for a run. */
export interface RunContext {
  readonly plan: RunLength;
  /** Samples and tokens of one inner step of a member. */
  readonly samplesPerStep: number;
  readonly tokensPerStep: number;
  /** What all targets of some samples weigh: what the contribution of who was given them must weigh. */
  readonly weigh: (samples: readonly EpochRange[]) => number;
  /** H, unless less is left. */
  readonly steps: number;
  readonly fragments: number;
}

/** What happens to a run: the events of the rounds' machine, with what belongs to them, and the coordinator's own. */
export type RunInput =
  | { readonly type: 'event'; readonly event: RoundsEvent }
  | {
      readonly type: 'contribution';
      readonly event: Contribute;
      readonly manifest: BlobRef;
      readonly loss: number;
    }
  /** The result is stored, and this is the list of its parts. */
  | {
      readonly type: 'merged';
      readonly event: Extract<RoundsEvent, { type: 'merged' }>;
      readonly manifest: BlobRef;
    }
  | { readonly type: 'snapshot'; readonly snapshot: Chain['snapshot'] }
  | { readonly type: 'evaluated'; readonly loss: number; readonly best: number }
  | { readonly type: 'admitted'; readonly host: string; readonly workers: readonly string[] }
  /** A machine asks that a person must approve; milliseconds since 1970. */
  | { readonly type: 'asked'; readonly asking: Asking; readonly at: number }
  | { readonly type: 'decided'; readonly id: string; readonly decision: 'approved' | 'refused' }
  /** Machines no longer wait for approval. */
  | { readonly type: 'gone'; readonly ids: readonly string[] };

export interface RunStep {
  readonly state: RunState;
  readonly effects: readonly Effect[];
  readonly reason: string;
}

/** What happens to a run when something happens: pure, as {@link tick} is, around which it lies. */
export function stepRun(context: RunContext, state: RunState, input: RunInput, now: number): RunStep {
  switch (input.type) {
    case 'event': {
      const stepped = onEvent(context, state, input.event, now);
      return input.event.type === 'leave' ? forgetLeaver(state, stepped, input.event.worker) : stepped;
    }
    case 'contribution': {
      const { event, manifest, loss } = input;
      const weighed = withWeight(context, state, event);
      const stepped = tick(weighed.rounds, event, now);
      const counts = stepped.effects.some((effect) => effect.type === 'accepted');
      // Before what follows: it may complete the round, and close it.
      const noted = counts ? withContribution(weighed, event.worker, manifest, loss) : weighed;
      return follow(context, noted, stepped);
    }
    case 'merged':
      return onMerged(context, state, input, now);
    case 'snapshot': {
      const results = state.chain.results.filter(({ round }) => round > input.snapshot.round);
      const chain = { snapshot: input.snapshot, results };
      // Someone may be on the way along the old chain: its blobs stay until the next snapshot.
      const old = [state.chain.snapshot, ...state.chain.results.filter(({ round }) => round <= input.snapshot.round)];
      return quiet({ ...state, chain, retired: old.map(({ manifest }) => manifest) }, 'a snapshot is stored');
    }
    case 'evaluated': {
      const progress = { ...state.progress, val_loss: input.loss, best_val_loss: input.best };
      return quiet({ ...state, progress }, 'the parameters were evaluated');
    }
    case 'admitted': {
      const kept = withoutNames(state, makeRoom(state, input.workers.length) ?? []);
      const hosts = { ...kept.hosts, ...Object.fromEntries(input.workers.map((worker) => [worker, input.host])) };
      return quiet({ ...kept, hosts, next: state.next + input.workers.length }, `${input.host} was let in`);
    }
    case 'asked': {
      const asked = ask(state.approvals, input.asking, input.at);
      if ('full' in asked) return quiet(state, asked.full);
      return quiet({ ...state, approvals: asked.approvals }, `${input.asking.host} waits for approval`);
    }
    case 'decided': {
      const approvals = decide(state.approvals, input.id, input.decision);
      return approvals ? quiet({ ...state, approvals }, `${input.id} is ${input.decision}`) : quiet(state, '');
    }
    case 'gone':
      return quiet({ ...state, approvals: withoutWaiting(state.approvals, input.ids) }, 'who was silent waits no more');
  }
}

/** Once a member: a claim is compared with what the samples are, so that nobody weighs more by saying so. */
function withWeight(context: RunContext, state: RunState, { worker, round }: Contribute): RunState {
  const { open } = state.rounds;
  const member = open?.round === round ? open.members.find((one) => one.worker === worker) : undefined;
  if (open === null || member === undefined || member.weight !== null) return state;
  const weight = context.weigh(leasedTo(state.ledger, worker, round));
  const members = open.members.map((one) => (one === member ? { ...one, weight } : one));
  return { ...state, rounds: { ...state.rounds, open: { ...open, members } } };
}

/** Who has said that it leaves does not come back; who was silent may. */
function forgetLeaver(before: RunState, stepped: RunStep, worker: string): RunStep {
  const is = ({ rounds }: RunState) => rounds.workers.some((one) => one.worker === worker);
  if (!is(before) || is(stepped.state)) return stepped;
  return { ...stepped, state: withoutNames(stepped.state, [worker]) };
}

function onEvent(context: RunContext, state: RunState, event: RoundsEvent, now: number): RunStep {
  return follow(context, state, tick(state.rounds, event, now));
}

/** Takes over what the rounds' machine made of its state: a round that has ended, a round that has opened. */
function follow(context: RunContext, state: RunState, { state: rounds, effects, reason }: Step): RunStep {
  const before = state.rounds;
  let next: RunState = { ...state, rounds };
  if (before.open !== null && before.open.round !== rounds.open?.round && rounds.committed === before.committed)
    next = { ...next, opening: null, ledger: release(next.ledger, { round: before.open.round }) };
  if (rounds.open !== null && rounds.open.round !== before.open?.round) next = openRound(context, next);
  return { state: next, effects: mergeable(next, effects), reason };
}

/** Where the merge is asked for, the state must know all contributions; a list lost would never be found again. */
function mergeable(state: RunState, effects: readonly Effect[]): readonly Effect[] {
  for (const effect of effects) {
    if (effect.type !== 'merge') continue;
    for (const { worker } of effect.contributions) {
      if (!state.opening?.contributions.some((one) => one.worker === worker))
        throw new Error(`no list of ${worker}'s contribution to round ${effect.round}`);
    }
  }
  return effects;
}

function onMerged(
  context: RunContext,
  state: RunState,
  { event, manifest }: Extract<RunInput, { type: 'merged' }>,
  now: number,
): RunStep {
  const { open } = state.rounds;
  const stepped = tick(state.rounds, event, now);
  if (open === null || stepped.state.committed.round !== event.round) return follow(context, state, stepped);
  const contributions = open.members.flatMap((one) =>
    one.status === 'contributed' ? { worker: one.worker, ...one.contribution! } : [],
  );
  const workers = contributions.map(({ worker }) => worker);
  const { round } = event;
  const result = { round, hash: event.hash, fragment: fragmentOf(round, context.fragments), manifest };
  const committed: RunState = {
    ...state,
    rounds: stepped.state,
    ledger: release(commit(state.ledger, round, workers), { round }),
    opening: null,
    last: { round, contributions: contributionsOf(state) },
    chain: { ...state.chain, results: [...state.chain.results, result] },
    progress: progressAfter(state, contributions, (now - open.openedAt) / 1000),
  };
  const limited = limit(context, committed, now);
  return { ...limited, effects: [...stepped.effects, ...limited.effects], reason: stepped.reason };
}

/** All that were stored in the open round, those that were refused too. */
export function contributionsOf({ opening, rounds }: RunState): LastRound['contributions'] {
  return (opening?.contributions ?? []).flatMap(({ worker, manifest }) => {
    const told = rounds.open?.members.find((one) => one.worker === worker)?.contribution;
    return told ? { worker, manifest, tokens: told.tokens, norm: told.norm } : [];
  });
}

/** Ends the run at its end, and makes its last round as short as it must be. */
function limit(context: RunContext, state: RunState, now: number): RunStep {
  const { plan, tokensPerStep } = context;
  const { progress, rounds } = state;
  if (isFinished(plan, progress)) return onEvent(context, state, { type: 'stop' }, now);
  const steps = nextSteps(plan, progress, context.steps, tokensPerStep * rounds.workers.length || null);
  if (steps === rounds.steps) return quiet(state, '');
  return onEvent(context, state, { type: 'steps', steps }, now);
}

function progressAfter(
  { progress, opening }: RunState,
  contributions: readonly {
    readonly worker: string;
    readonly steps: number;
    readonly tokens: number;
    readonly weight: number;
  }[],
  seconds: number,
): CommittedProgress {
  const tokens = contributions.reduce((sum, one) => sum + one.tokens, 0);
  const mean = (of: (one: (typeof contributions)[number]) => number) =>
    contributions.reduce((sum, one) => sum + of(one) * one.tokens, 0) / tokens;
  const steps = mean((one) => one.steps);
  const told = contributions.flatMap(({ worker, weight }) => {
    const loss = opening?.contributions.find((one) => one.worker === worker)?.loss ?? null;
    return loss === null ? [] : { loss, weight };
  });
  const loss =
    told.reduce((sum, one) => sum + one.loss * one.weight, 0) / told.reduce((sum, one) => sum + one.weight, 0);
  return {
    ...progress,
    position: progress.position + steps,
    tokens: progress.tokens + tokens,
    seconds: progress.seconds + Math.max(0, seconds),
    last: { steps, seconds: Math.max(0, seconds) },
    train_loss: Number.isFinite(loss) ? loss : progress.train_loss,
  };
}

function openRound(context: RunContext, state: RunState): RunState {
  const { plan, samplesPerStep, tokensPerStep, fragments } = context;
  const { round, members: opened } = state.rounds.open!;
  let { ledger } = state;
  for (const { worker, steps } of opened) {
    const samples = steps * samplesPerStep;
    // With fragments training goes on before the next round opens, so its samples are given out with this one's, and
    // stay as they are: they may have been trained on.
    if (leasedTo(ledger, worker, round).length === 0) ({ ledger } = lease(ledger, worker, round, samples));
    if (fragments > 1) ({ ledger } = lease(ledger, worker, round + 1, samples));
  }
  // What a member was given before is what it does, whatever its speed has become.
  const members = opened.map((one) => {
    const lease = leasedTo(ledger, one.worker, round);
    return { ...one, steps: lease.reduce((sum, { start, end }) => sum + end - start, 0) / samplesPerStep };
  });
  const all = members.reduce((sum, { steps }) => sum + steps, 0);
  // By tokens, as progress is counted: who does more steps moves it further.
  const mean = members.reduce((sum, { steps }) => sum + steps * steps, 0) / all;
  return {
    ...state,
    rounds: { ...state.rounds, open: { ...state.rounds.open!, members } },
    ledger,
    opening: {
      round,
      position: schedulePosition(plan, state.progress),
      advance: advanceOf(plan, state.progress, mean, all * tokensPerStep),
      contributions: [],
    },
  };
}

/** The samples that a worker has for a round. */
export function leasedTo(ledger: RunState['ledger'], worker: string, round: number): readonly EpochRange[] {
  return lease(ledger, worker, round, 0).ranges;
}

function withContribution(state: RunState, worker: string, manifest: BlobRef, loss: number): RunState {
  const others = state.opening!.contributions.filter((one) => one.worker !== worker);
  const own = { worker, manifest, loss: loss >= 0 && loss <= MOST_LOSS ? loss : null };
  return { ...state, opening: { ...state.opening!, contributions: [...others, own] } };
}

function quiet(state: RunState, reason: string): RunStep {
  return { state, effects: [], reason };
}

/** Whether two states differ in more than when workers were last heard of, which a restart forgets anyway. */
export function worthStoring(before: RunState, after: RunState): boolean {
  if (before === after) return false;
  const { rounds: a, ...restBefore } = before;
  const { rounds: b, ...restAfter } = after;
  const keys = Object.keys(restAfter) as (keyof typeof restAfter)[];
  if (keys.some((key) => restBefore[key] !== restAfter[key])) return true;
  const { workers: was, ...others } = a;
  const { workers: is, ...now } = b;
  if ((Object.keys(now) as (keyof typeof now)[]).some((key) => others[key] !== now[key])) return true;
  return was !== is && timeless(was) !== timeless(is);
}

function timeless(workers: RoundsState['workers']): string {
  return JSON.stringify(workers.map(({ lastSeen: _lastSeen, ...worker }) => worker));
}
