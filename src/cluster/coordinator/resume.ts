import { MeanfieldError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { createLedger } from '../../data/ledger/index.js';
import { createRounds, machineOptions, type RoundOptions } from '../../rounds/index.js';
import { compareNames } from '../../rounds/order.js';
import { fullRateElements } from '../../training/rate-ranges.js';
import { type RunKey, RunVerifier, UnsignedError } from '../../transport/signed.js';
import type { BlobRef, Transport } from '../../transport/transport.js';
import type { ParsedClusterOptions } from '../options.js';
import type { RunSetup } from '../protocol/configuration.js';
import { putSnapshot } from '../snapshot.js';
import type { Keeper } from './keeper.js';
import { BEGINNING, decodeState, encodeState, type RunState } from './run-state.js';
import { STATE } from './state-writer.js';
import type { RunContext } from './step-run.js';

/** What a run's state is made from. */
export interface StateStart {
  readonly run: string;
  readonly transport: Transport;
  readonly key: RunKey;
  readonly keeper: Keeper;
  /** After the last commit that the run's folder holds, or the last state that this process has stored. */
  readonly own: RunState | undefined;
  readonly layoutHash: string;
  readonly cluster: ParsedClusterOptions;
  /** H. */
  readonly steps: number;
  readonly limits: Limits;
  readonly onNotice: (message: string) => void;
  /** Samples of an epoch, and the seed of their order. */
  readonly samples: number;
  readonly seed: number;
  /** Stores the configuration and the tokens, where they are not stored. */
  readonly publish: () => Promise<BlobRef>;
}

/** What a contribution can come to: by these a worker's word is checked. */
export type Limits = Pick<RoundOptions, 'tokensPerStep' | 'normPerStep'>;

/** How far AdamW may move a parameter in a step, in learning rates: at most about 1.2 but for its first steps. */
const MOST_RATES = 2;
/** The root mean square of parameters, at most, by which weight decay moves them. */
const MOST_WEIGHT = 4;

/**
 * AdamW moves no parameter further in a step than about its learning rate and the weight decay's share, so a contribution
 * cannot be longer than its steps allow, however odd the data. With P fragments a part was trained for P rounds.
 */
export function limitsOf(
  { optimizer, schedule }: Pick<RunSetup, 'optimizer' | 'schedule'>,
  { tokensPerStep, fragments }: Pick<RunContext, 'tokensPerStep' | 'fragments'>,
  parameters: number,
): Limits {
  const moving = fullRateElements(parameters, optimizer.rateRanges);
  const perParameter = schedule.peak * (MOST_RATES + MOST_WEIGHT * optimizer.weightDecay);
  // Where a part is mixed with the result and not replaced by it, what was there before remains in it.
  const rounds = fragments > 1 ? 2 * fragments : 1;
  return { tokensPerStep, normPerStep: rounds * perParameter * Math.sqrt(moving) };
}

/** How a state began before states were signed: with `{`. */
const UNSIGNED = 0x7b;

/** A state that is stored, and whose committed vectors the keeper holds. */
export interface StoredState {
  readonly state: RunState;
  readonly revision: number;
}

/**
 * The state to carry on from: the message system's, or our own where that is newer, as after a power cut of the server or
 * where somebody has put back an old one; or the first one.
 *
 * @throws MeanfieldError when the two contradict each other, or another key has signed the stored state
 */
export async function takeUp(start: StateStart): Promise<StoredState> {
  const { transport, keeper, run, own } = start;
  const found = await transport.state.get(STATE);
  const stored = readable(found?.value, start);
  const revision = found?.revision ?? 0;
  if (stored && stored.rounds.run !== run)
    throw new MeanfieldError(
      `The message system holds run ${stored.rounds.run}, not ${run}. Use another prefix or server.`,
    );
  if (stored && !isOlder(stored, start)) {
    const { committed } = stored.rounds;
    if (keeper.held.hash !== committed.hash) await keeper.catchUp(transport.blobs, stored.chain);
    if (keeper.held.hash !== committed.hash)
      throw new MeanfieldError(
        `Round ${committed.round} was committed with the hash ${committed.hash.slice(0, 12)}, but what is stored gives ${keeper.held.hash.slice(0, 12)}.`,
      );
    const state = counted(reopened(stored, start.limits), stored);
    return { state, revision: await set(start, state, revision) };
  }
  if (!own && keeper.held.round > 0)
    throw new MeanfieldError(
      "The run's folder is damaged after its last checkpoint, and the message system does not hold the run. Delete the folder's journal to go on from the checkpoint.",
    );
  const { round, hash } = keeper.held;
  if (own && own.rounds.committed.hash !== hash)
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `Round ${own.rounds.committed.round} is the last that this coordinator knows of, but what it holds is another. ` +
        `Start it again with ${option('resume', true)}: it goes on from its folder.`,
    );
  const configuration = await start.publish();
  const vectors = await keeper.exclusive(() => keeper.thread.ask('snapshot', null));
  const manifest = await putSnapshot(transport.blobs, `run/s/${round}`, vectors);
  const chain = { snapshot: { round, hash, manifest }, results: [] };
  const first: RunState = own
    ? reopened({ ...own, configuration, chain, retired: [], next: Math.max(own.next, stored?.next ?? 0) }, start.limits)
    : { ...firstState(start), configuration, chain };
  const state = counted(first, stored);
  return { state, revision: await set(start, state, revision) };
}

/** With a number above that of all that was stored. */
function counted(state: RunState, stored: RunState | undefined): RunState {
  return { ...state, serial: Math.max(state.serial, stored?.serial ?? 0) + 1 };
}

/** Whether what is stored was stored before what we know: by its rounds, and by how often it was stored. */
function isOlder(stored: RunState, { own, onNotice }: StateStart): boolean {
  if (!own) return false;
  if (stored.rounds.committed.round < own.rounds.committed.round) return true;
  if (stored.serial >= own.serial) return false;
  onNotice(
    `The state in the message system is an old one (its number is ${stored.serial}, this coordinator knows of ` +
      `${own.serial}), as a server that lost writes has it, or one that puts it back. It does not count.`,
  );
  return true;
}

function set({ transport, key }: StateStart, state: RunState, revision: number): Promise<number> {
  return transport.state.set(STATE, key.signed('state', encodeState(state)), revision);
}

/**
 * The message system's state; one that cannot be read, or that no coordinator of this run has signed, is gone back from,
 * to the newest that the folder holds.
 */
function readable(value: Uint8Array | undefined, { own, key, onNotice }: StateStart): RunState | undefined {
  if (value === undefined) return undefined;
  try {
    return decodeState(new RunVerifier(key.public).opened('state', value), 'the message system');
  } catch (error) {
    if (error instanceof UnsignedError && key.isNew && value[0] !== UNSIGNED)
      throw new MeanfieldError(
        "The coordinators of this run sign by a key that this machine's folder of the run lacks. Copy nats/run-key.pem " +
          'there from the machine where the run was started, readable by you alone (chmod 600), and start again.',
        { cause: error },
      );
    if (!(error instanceof MeanfieldError) || !own) throw error;
    const why =
      error instanceof UnsignedError
        ? 'The state in the message system is not signed by the coordinators of this run and does not count.'
        : error.message;
    onNotice(`${why} Went back to round ${own.rounds.committed.round}, which this machine holds.`);
    return undefined;
  }
}

function firstState({ run, keeper, layoutHash, cluster, steps, limits, samples, seed }: StateStart) {
  const milliseconds = (seconds: number) => Math.round(1000 * seconds);
  return {
    format: 'meanfield-cluster',
    version: 1,
    rounds: createRounds({
      run,
      layout: { hash: layoutHash, length: keeper.length },
      committed: keeper.held,
      options: machineOptions({
        steps,
        quorum: cluster.quorum,
        grace: milliseconds(cluster.grace),
        roundTimeout: milliseconds(cluster.roundTimeout),
        heartbeatTimeout: milliseconds(cluster.heartbeatTimeout),
        minimumMembers: cluster.minWorkers,
        adaptiveSteps: cluster.adaptiveSteps,
        outlierFactor: cluster.outlierFactor,
        ...limits,
      }),
      now: performance.now(),
    }),
    ledger: createLedger({ samples, seed }),
    ...BEGINNING,
  } as const;
}

/** A run that was told to stop goes on, with workers that join anew. Round numbers, and who was banned, stay. */
function reopened(state: RunState, limits: Limits): RunState {
  const rounds = { ...state.rounds, options: { ...state.rounds.options, ...limits }, stopping: false };
  if (rounds.phase !== 'stopped') return { ...state, rounds };
  const gone = rounds.workers.map(({ worker, incarnation }) => ({ worker, incarnation }));
  const departed = [...rounds.departed.filter(({ worker }) => !gone.some((one) => one.worker === worker)), ...gone];
  departed.sort((a, b) => compareNames(a.worker, b.worker));
  const since = performance.now();
  return { ...state, rounds: { ...rounds, phase: 'gathering', since, workers: [], departed } };
}
