import type { Effect, Merge, RoundsEvent, StartRound } from '../events.js';
import type { MessageOfMember } from '../member/types.js';
import { compareNames, find } from '../order.js';
import type { RoundsState } from '../types.js';
import type { FromSimulated, SimulatedCargo } from './cargo.js';
import { hashModel } from './model.js';
import type { SimulatedStore, StoredContribution } from './store.js';
import type { MemberWatch, SimulatedWorker } from './worker.js';

/** A rule of rounds was broken in the simulation. */
export class Violation extends Error {
  override name = 'Violation';
}

/** Characters that do not do what the member's machine says. */
const LIARS: ReadonlySet<SimulatedWorker['character']> = new Set(['idle', 'fresh', 'stubborn']);

/** Sees everything, the coordinator's state and the workers' real parameters, and throws when a rule is broken. */
export class Monitor implements MemberWatch {
  readonly #store: SimulatedStore;
  readonly #workers: () => Iterable<SimulatedWorker>;
  #opened: number;
  /** What each life has contributed to each round. */
  readonly #said = new Map<string, string>();
  /** Honest workers that have come back since all trouble ended. */
  #back: Set<SimulatedWorker> | null = null;

  constructor(store: SimulatedStore, workers: () => Iterable<SimulatedWorker>) {
    this.#store = store;
    this.#workers = workers;
    this.#opened = store.state.round;
  }

  /** @throws Violation */
  check(before: RoundsState, event: RoundsEvent, after: RoundsState, effects: readonly Effect[]): void {
    if (after.committed !== before.committed) this.#checkCommit(before, event, after);
    for (const effect of effects) {
      if (effect.type === 'startRound') this.#checkStart(effect, before, after);
      else if (effect.type === 'accepted' && event.type === 'contribution' && event.round !== before.open?.round)
        throw new Violation(`a contribution to round ${event.round} counted while ${before.open?.round} was open`);
      else if (effect.type === 'merge') this.#checkMerge(effect, after);
    }
    if (event.type === 'report' && this.#back !== null) this.#noteBack(event.worker, after);
  }

  trains(worker: SimulatedWorker, round: number): void {
    const { host, name, start, character } = worker;
    if (host.training !== null) throw new Violation(`${name} trains in ${round} while it trains in ${host.training}`);
    if (LIARS.has(character) || host.rounds.length > 0) return;
    if (start?.round !== round) throw new Violation(`${name} trains in ${round}, and was not told to`);
    if (!host.isClean || host.hash !== start.base.hash)
      throw new Violation(`${name} trains in ${round} from parameters other than those of round ${start.base.round}`);
  }

  takes({ name, host }: SimulatedWorker): void {
    if (host.training !== null && !host.mixable)
      throw new Violation(`${name} takes parameters while it trains in ${host.training}, before τ`);
  }

  says(worker: SimulatedWorker, incarnation: number, message: MessageOfMember<SimulatedCargo>): void {
    const { name, host, character } = worker;
    if (message.type === 'contribution') {
      const { round, contentHash } = message.contribution;
      if (round <= worker.heardClosed) throw new Violation(`${name} contributes to round ${round}, which is over`);
      const key = `${name}.${incarnation}.${round}`;
      if ((this.#said.get(key) ?? contentHash) !== contentHash)
        throw new Violation(`${name} contributes to round ${round} twice, with other content`);
      this.#said.set(key, contentHash);
      const { rounds } = this.#store.contributions.get(contentHash)!;
      if (!LIARS.has(character) && !this.#isSound(rounds, round))
        throw new Violation(`${name} contributes steps of rounds ${rounds.join(', ')} to round ${round}`);
    }
    if (message.type === 'report' && !LIARS.has(character) && message.hash !== host.hash)
      throw new Violation(`${name} reports ${message.hash} and holds ${host.hash || 'none'}`);
  }

  onFalseSum({ worker, shard, round, value }: Extract<FromSimulated, { type: 'sum' }>, expected: number): never {
    throw new Violation(`false sum: ${worker} makes ${value} of shard ${shard} of round ${round}, not ${expected}`);
  }

  /** From here on every honest worker must come back: be ready, with the committed parameters. */
  calm(): void {
    this.#back = new Set();
  }

  /** Who was banned and goes on. */
  undead(): string[] {
    const { evicted } = this.#store.state;
    const all = [...this.#workers()];
    return all.flatMap((one) => (one.alive && one.character !== 'idle' && evicted.includes(one.name) ? one.name : []));
  }

  /** Honest workers that live and are not back yet. */
  missing(): string[] {
    const all = [...this.#workers()];
    return all.flatMap((one) => (one.alive && one.character === 'honest' && !this.#back!.has(one) ? one.name : []));
  }

  #noteBack(name: string, { workers, committed }: RoundsState): void {
    const known = find(workers, name);
    if (known?.status !== 'ready') return;
    for (const worker of this.#workers())
      if (worker.name === name && worker.incarnation === known.incarnation && worker.host.hash === committed.hash)
        this.#back!.add(worker);
  }

  /** Steps ahead count once the round before is committed; of all others nothing may be left. */
  #isSound(rounds: StoredContribution['rounds'], round: number): boolean {
    return rounds.at(-1) === round && rounds.slice(0, -1).every((one) => this.#store.committed.has(one));
  }

  /** Whether every worker of the run to its end that is not odd by design holds the committed parameters. */
  allHold(): boolean {
    const { workers, committed } = this.#store.state;
    for (const { name, incarnation, alive, heardStop, character, parameters } of this.#workers()) {
      if (!(alive || heardStop) || character === 'idle' || character === 'fresh') continue;
      if (find(workers, name)?.incarnation !== incarnation) continue;
      if (parameters === null || hashModel(parameters) !== committed.hash) return false;
    }
    return true;
  }

  #checkCommit(before: RoundsState, event: RoundsEvent, after: RoundsState): void {
    const { committed } = after;
    if (event.type !== 'merged') throw new Violation(`${event.type} changed what is committed`);
    if (committed.round <= before.committed.round)
      throw new Violation(`commit of round ${committed.round} after that of round ${before.committed.round}`);
    if (!this.#store.parameters.has(committed.hash))
      throw new Violation(`round ${committed.round} was committed but its parameters are not stored`);
    if (this.#store.commits.at(-1)!.hash !== before.committed.hash)
      throw new Violation(`lost commit: the last one told to workers was ${this.#store.commits.at(-1)!.round}`);
    this.#store.commit(committed);
  }

  #checkStart(start: StartRound, before: RoundsState, after: RoundsState): void {
    if (before.open !== null) return;
    if (start.round <= this.#opened)
      throw new Violation(`round ${start.round} opened after round ${this.#opened}: not monotonic`);
    this.#opened = start.round;
    if (start.base.hash !== this.#store.commits.at(-1)!.hash)
      throw new Violation(`round ${start.round} starts from other than the last commit`);
    if (start.members.length < after.options.minimumMembers)
      throw new Violation(`round ${start.round} has ${start.members.length} members`);
    for (const worker of this.#workers()) {
      const member = start.members.find(({ worker: name }) => name === worker.name);
      if (worker.alive && member?.incarnation === worker.incarnation) this.#checkHolds(worker, start.base.hash);
    }
  }

  #checkHolds(worker: SimulatedWorker, hash: string): void {
    const held = worker.parameters === null ? 'none' : hashModel(worker.parameters);
    if (held !== hash) throw new Violation(`divergence: ${worker.name} holds ${held}, committed is ${hash}`);
  }

  #checkMerge(merge: Merge, after: RoundsState): void {
    let previous: string | undefined;
    for (const { worker, contentHash } of merge.contributions) {
      if (previous !== undefined && compareNames(previous, worker) >= 0)
        throw new Violation(`round ${merge.round} is summed out of replica order`);
      previous = worker;
      const { base, rounds } = this.#store.contributions.get(contentHash)!;
      const ahead = rounds.length > 1 && this.#isSound(rounds, merge.round);
      if (!ahead && (base !== merge.base.hash || rounds.length !== 1))
        throw new Violation(
          `divergence: ${worker} trained from ${base} in ${rounds.join(', ')}, round ${merge.round} is based on ${merge.base.hash}`,
        );
    }
    if (merge.contributions.length < after.options.minimumMembers)
      throw new Violation(`round ${merge.round} is merged from ${merge.contributions.length} contributions`);
  }
}
