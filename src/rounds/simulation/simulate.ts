import { Random } from '../../base/random.js';
import { createRounds } from '../create.js';
import { memberTick } from '../member.js';
import { tick } from '../tick.js';
import type { FromSimulated, MemberMachine, SimulatedMessage } from './cargo.js';
import { type Machine, SimulatedCoordinator } from './coordinator.js';
import { hashModel, initialModel } from './model.js';
import { Monitor, Violation } from './monitor.js';
import { SimulatedNetwork } from './network.js';
import type { Action, Schedule } from './schedule.js';
import { SimulatedStore } from './store.js';
import { SimulatedWorker, type Surroundings, USELESS } from './worker.js';

/**
 * Virtual milliseconds after the calm in which a run must commit twice and end. A grace shorter than the line is long, beside
 * members that send nothing, can take two minutes of rounds that fail.
 */
const BOUND = 180_000;
/** A run that needs more events than this goes round in circles. */
const MOST_TICKS = 50_000;
const RUN = 'simulated';
const LAYOUT = { hash: 'layout', length: 1 };

export interface SimulationResult {
  readonly commits: number;
  readonly aborts: number;
  /** How often living workers were thrown out. */
  readonly thrownOut: number;
  /** Events handled by the coordinator. */
  readonly ticks: number;
  /** Virtual milliseconds. */
  readonly time: number;
}

/**
 * Runs a schedule under a virtual clock, then leaves the run in peace: it must commit two more rounds, have all honest
 * workers back, end when told to, and leave all with the committed parameters.
 *
 * @param machine the coordinator's machine under test
 * @param member the members' machine under test
 * @throws Violation naming the seed, when a round is stuck, parameters diverge, a commit is lost or a rule is broken
 */
export function simulate(
  schedule: Schedule,
  machine: Machine = tick,
  member: MemberMachine = memberTick,
): SimulationResult {
  const simulation = new Simulation(schedule, machine, member);
  try {
    return simulation.run();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    throw new Violation(`seed ${schedule.seed}, at ${Math.round(simulation.network.now)} ms: ${error.message}`);
  }
}

class Simulation {
  readonly network: SimulatedNetwork;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #store: SimulatedStore;
  readonly #coordinator: SimulatedCoordinator;
  readonly #monitor: Monitor;
  readonly #surroundings: Surroundings;
  readonly #workers = new Map<string, SimulatedWorker>();
  readonly #cutOff = new Set<string>();
  readonly #banned = new Set<string>();
  #calm = false;

  constructor(schedule: Schedule, machine: Machine, member: MemberMachine) {
    this.#schedule = schedule;
    this.#random = new Random(schedule.seed, 'lines');
    const { options, line, fragments, shards, mergeTime } = schedule;
    this.network = new SimulatedNetwork(this.#random, line);
    const initial = initialModel(fragments);
    const committed = { round: 0, hash: hashModel(initial) };
    this.#store = new SimulatedStore(createRounds({ run: RUN, layout: LAYOUT, options, committed, now: 0 }), initial);
    this.#monitor = new Monitor(this.#store, () => this.#workers.values());
    this.#coordinator = new SimulatedCoordinator({
      ...{ machine, fragments, shards, mergeTime },
      store: this.#store,
      network: this.network,
      monitor: this.#monitor,
      send: (worker, incarnation, message) => this.#toWorker(worker, incarnation, message),
    });
    this.#surroundings = {
      run: RUN,
      machine: member,
      network: this.network,
      store: this.#store,
      random: this.#random,
      layout: LAYOUT,
      send: (message) => this.#toCoordinator(message),
      watch: this.#monitor,
      heartbeatEvery: options.heartbeatTimeout === null ? null : options.heartbeatTimeout / 4,
      transfer: schedule.transfer,
      overlap: schedule.overlap,
      sharedLine: schedule.sharedLine,
      damage: schedule.damage,
      miss: schedule.miss,
    };
  }

  run(): SimulationResult {
    const { actions, calmAt } = this.#schedule;
    for (const { at, action } of actions) this.network.after(at, () => this.#act(action));
    this.network.after(calmAt, () => this.#calmDown());
    this.#until(() => this.#calm, calmAt);
    const target = this.#store.commits.length + 2;
    this.#until(() => this.#store.commits.length >= target, calmAt + BOUND);
    const none = (names: () => string[]) => () => names().length === 0;
    this.#until(
      none(() => this.#monitor.undead()),
      calmAt + BOUND,
      () => `banned: ${this.#monitor.undead()} go on`,
    );
    const missing = () => this.#monitor.missing();
    this.#until(none(missing), calmAt + BOUND, () => `gone for good: ${missing()} should be back`);
    this.#coordinator.handle({ type: 'stop' });
    this.#until(() => this.#store.state.phase === 'stopped', calmAt + 2 * BOUND);
    this.#until(() => this.#monitor.allHold(), calmAt + 3 * BOUND);
    return {
      commits: this.#store.commits.length - 1,
      aborts: this.#coordinator.aborts,
      thrownOut: [...this.#workers.values()].reduce((sum, worker) => sum + worker.thrownOut, 0),
      ticks: this.#coordinator.ticks,
      time: this.network.now,
    };
  }

  #until(done: () => boolean, bound: number, what = () => this.#stuck()): void {
    while (!done()) {
      const next = this.network.next;
      if (next === undefined || next > bound) throw new Violation(what());
      if (this.#coordinator.ticks > MOST_TICKS) throw new Violation('busy without end');
      this.network.step();
    }
  }

  #stuck(): string {
    const { phase, round, workers } = this.#store.state;
    const who = workers.map(({ worker, status }) => `${worker} ${status}`).join(', ');
    return `stuck: ${phase} in round ${round}; ${who}`;
  }

  #act(action: Action): void {
    const coordinator = this.#coordinator;
    switch (action.type) {
      case 'join':
        this.#join(action.character, action.speed);
        break;
      case 'failMerges':
        coordinator.failMerges = action.count;
        break;
      case 'coordinator':
        if (action.midway) coordinator.dieWithNext = true;
        else coordinator.crash();
        this.network.after(action.downFor, () => {
          // It was started when all trouble ended, and nothing is forgotten after that.
          if (!this.#calm) coordinator.restart(action.clockOffset, action.forgets);
        });
        break;
      case 'partition':
        for (const [i, name] of [...this.#workers.keys()].entries())
          if ((i + action.pick) % 2 === 0) this.#cutOff.add(name);
        this.network.after(action.lasts, () => this.#cutOff.clear());
        break;
      default: {
        const all = [...this.#workers.values()];
        if (all.length > 0) this.#actOn(action, all[action.pick % all.length]!);
      }
    }
  }

  #actOn(action: Extract<Action, { readonly pick: number }>, worker: SimulatedWorker): void {
    switch (action.type) {
      case 'restart':
        this.#restart(worker);
        break;
      case 'leave':
        worker.leave();
        break;
      case 'crash':
        worker.crash();
        break;
      case 'full':
        worker.full = action.count;
        break;
      case 'evict':
        this.#banned.add(worker.name);
        this.#coordinator.handle({ type: 'evict', worker: worker.name, reason: 'told to' });
    }
  }

  #join(character: SimulatedWorker['character'], speed: number): void {
    const name = `worker-${this.#workers.size}`;
    this.#workers.set(name, new SimulatedWorker(this.#surroundings, name, 1, speed, character));
  }

  /** A new life in the place of the old one, whether that has ended or not. */
  #restart(worker: SimulatedWorker): void {
    if (this.#banned.has(worker.name)) return;
    worker.crash();
    const { name, incarnation, speed, character } = worker;
    this.#workers.set(name, new SimulatedWorker(this.#surroundings, name, incarnation + 1, speed, character));
  }

  /** Ends all trouble, and sees to it that enough workers are there for a round. */
  #calmDown(): void {
    this.#calm = true;
    this.network.line = { ...this.#schedule.line, loss: 0 };
    this.#surroundings.damage = 0;
    this.#surroundings.miss = 0;
    for (const worker of this.#workers.values()) worker.full = 0;
    this.#monitor.calm();
    this.#cutOff.clear();
    this.#coordinator.failMerges = 0;
    this.#coordinator.dieWithNext = false;
    if (!this.#coordinator.alive) this.#coordinator.restart(0);
    const useful = [...this.#workers.values()].filter(
      ({ alive, character, name }) => alive && !USELESS.has(character) && !this.#banned.has(name),
    );
    for (let i = useful.length; i < this.#schedule.options.minimumMembers; i++) this.#join('honest', 0.1);
  }

  #toCoordinator(message: FromSimulated): void {
    if (this.#cutOff.has(message.worker)) return;
    this.network.send(() => this.#coordinator.receive(message));
  }

  #toWorker(name: string, incarnation: number, message: SimulatedMessage): void {
    if (this.#cutOff.has(name)) return;
    this.network.send(() => this.#workers.get(name)?.receive(incarnation, message));
  }
}
