import { and, send, step } from './step.js';
import type { Cargo, MemberInput, MemberReduce, MemberState, MemberStep } from './types.js';

/** Sums the shards that it is told to, once each, and tells of each as often as it is asked. */
export function onReduce<C extends Cargo>(state: MemberState<C>, request: MemberReduce<C>): MemberStep<C> {
  const { round, attempt, shards } = request;
  if (round <= state.closed) return step(state, `round ${round} is over`);
  const same = state.reducing?.round === round && state.reducing.attempt === attempt;
  const at = same
    ? step(state, `round ${round} is asked for again`)
    : and(stopReducing(step(state, '')), { reducing: { round, attempt, shards: {} } }, `it sums for round ${round}`);
  const known = at.state.reducing!.shards;
  const told = [...new Set(shards)].flatMap((shard) => known[shard] ?? []);
  const left = [...new Set(shards)].filter((shard) => known[shard] === undefined);
  const under = Object.fromEntries(left.map((shard) => [shard, null]));
  const repeated = told.map((sum) => send<C>(state, { type: 'sum', sum }));
  const next = and(at, { reducing: { round, attempt, shards: { ...known, ...under } } }, '', ...repeated);
  return left.length === 0 ? next : and(next, null, '', { type: 'reduce', request, shards: left });
}

export function onReduced<C extends Cargo>(
  state: MemberState<C>,
  event: Extract<MemberInput<C>, { readonly type: 'reduced' }>,
): MemberStep<C> {
  const { round, attempt, shard, done, sum } = event;
  const { reducing } = state;
  if (reducing?.round !== round || reducing.attempt !== attempt || reducing.shards[shard] !== null)
    return step(state, `nobody wants shard ${shard} of round ${round}, ${attempt}, any more`);
  const { [shard]: _under, ...others } = reducing.shards;
  const shards = done ? { ...others, [shard]: sum } : others;
  return step(
    { ...state, reducing: { ...reducing, shards } },
    done ? `shard ${shard} of round ${round} is summed` : `shard ${shard} of round ${round} could not be summed`,
    send(state, { type: 'sum', sum }),
  );
}

/** The merge is over, or another has taken its place. */
export function stopReducing<C extends Cargo>(before: MemberStep<C>): MemberStep<C> {
  if (before.state.reducing === null) return before;
  return and(before, { reducing: null }, '', { type: 'stopReducing' });
}
