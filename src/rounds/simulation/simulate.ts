import { Random } from '../../base/random.js';
import { createRounds } from '../create.js';
import type { MessageToWorker, WorkerMessage } from '../events.js';
import { tick } from '../tick.js';
import { type Machine, SimulatedCoordinator } from './coordinator.js';
import { hashModel } from './model.js';
import { Monitor, Violation } from './monitor.js';
import { SimulatedNetwork } from './network.js';
import type { Action, Schedule } from './schedule.js';
import { SimulatedStore } from './store.js';
import { SimulatedWorker, type Surroundings, USELESS } from './worker.js';

/** Virtual milliseconds after the calm in which a run must commit twice and end. */
const BOUND = 120_000;
/** A run that needs more events than this goes round in circles. */
const MOST_TICKS = 50_000;
const RUN = 'simulated';
const LAYOUT = { hash: 'layout', length: 1 };
const INITIAL = 0x5eed;

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
 * Runs a schedule under a virtual clock, then leaves the run in peace: it must commit two more rounds, end when told
 * to, and leave all with the committed parameters.
 *
 * @param machine the machine under test
 * @throws Violation naming the seed, when a round is stuck, parameters diverge, a commit is lost or a rule is broken
 */
export function simulate(schedule: Schedule, machine: Machine = tick): SimulationResult {
  const simulation = new Simulation(schedule, machine);
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

  constructor(schedule: Schedule, machine: Machine) {
    this.#schedule = schedule;
    this.#random = new Random(schedule.seed, 'lines');
    const { options, line } = schedule;
    this.network = new SimulatedNetwork(this.#random, line);
    const committed = { round: 0, hash: hashModel(INITIAL) };
    this.#store = new SimulatedStore(createRounds({ run: RUN, layout: LAYOUT, options, committed, now: 0 }), INITIAL);
    this.#monitor = new Monitor(this.#store, () => this.#workers.values());
    this.#coordinator = new SimulatedCoordinator({
      machine,
      store: this.#store,
      network: this.network,
      monitor: this.#monitor,
      mergeTime: schedule.mergeTime,
      send: (worker, incarnation, message) => this.#toWorker(worker, incarnation, message),
    });
    this.#surroundings = {
      run: RUN,
      network: this.network,
      store: this.#store,
      random: this.#random,
      layout: LAYOUT,
      send: (message) => this.#toCoordinator(message),
      heartbeatEvery: options.heartbeatTimeout === null ? null : options.heartbeatTimeout / 4,
      transfer: schedule.transfer,
      sharedLine: schedule.sharedLine,
      damage: schedule.damage,
    };
  }

  run(): SimulationResult {
    const { actions, calmAt } = this.#schedule;
    for (const { at, action } of actions) this.network.after(at, () => this.#act(action));
    this.network.after(calmAt, () => this.#calmDown());
    this.#until(() => this.#calm, calmAt);
    const target = this.#store.commits.length + 2;
    this.#until(() => this.#store.commits.length >= target, calmAt + BOUND);
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

  #until(done: () => boolean, bound: number): void {
    while (!done()) {
      const next = this.network.next;
      if (next === undefined || next > bound) {
        const { phase, round, workers } = this.#store.state;
        const who = workers.map(({ worker, status }) => `${worker} ${status}`).join(', ');
        throw new Violation(`stuck: ${phase} in round ${round}; ${who}`);
      }
      if (this.#coordinator.ticks > MOST_TICKS) throw new Violation('busy without end');
      this.network.step();
    }
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
        this.network.after(action.downFor, () => coordinator.restart(action.clockOffset));
        break;
      case 'partition':
        for (const [i, name] of [...this.#workers.keys()].entries())
          if ((i + action.pick) % 2 === 0) this.#cutOff.add(name);
        this.network.after(action.lasts, () => this.#cutOff.clear());
        break;
      default: {
        const all = [...this.#workers.values()];
        if (all.length > 0) this.#actOn(action.type, all[action.pick % all.length]!);
      }
    }
  }

  #actOn(type: 'leave' | 'crash' | 'restart' | 'evict', worker: SimulatedWorker): void {
    if (type === 'restart') this.#restart(worker);
    else if (type === 'leave') worker.leave();
    else worker.crash();
    if (type !== 'evict') return;
    this.#banned.add(worker.name);
    this.#coordinator.handle({ type: 'evict', worker: worker.name, reason: 'told to' });
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
    this.#cutOff.clear();
    this.#coordinator.failMerges = 0;
    this.#coordinator.dieWithNext = false;
    if (!this.#coordinator.alive) this.#coordinator.restart(0);
    const useful = [...this.#workers.values()].filter(({ alive, character }) => alive && !USELESS.has(character));
    for (let i = useful.length; i < this.#schedule.options.minimumMembers; i++) this.#join('honest', 0.1);
  }

  #toCoordinator(message: WorkerMessage): void {
    if (this.#cutOff.has(message.worker)) return;
    this.network.send(() => this.#coordinator.handle(message));
  }

  #toWorker(name: string, incarnation: number, message: MessageToWorker): void {
    if (this.#cutOff.has(name)) return;
    this.network.send(() => {
      const worker = this.#workers.get(name);
      if (worker?.alive && worker.incarnation === incarnation) worker.receive(message);
    });
  }
}
