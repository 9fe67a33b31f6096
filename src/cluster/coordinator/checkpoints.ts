import { MeanfieldError } from '../../base/errors.js';
import type { JsonValue } from '../../base/json.js';
import type { ParameterLayout } from '../../model/layout.js';
import { type Checkpoint, loadLatestCheckpoint } from '../../run/checkpoint.js';
import type { FrozenPart } from '../../run/frozen-part.js';
import { readVectors, saveVectors } from '../../run/vector-checkpoint.js';
import type { Journal } from './journal.js';
import type { Keeper } from './keeper.js';
import { parseState, type RunState } from './run-state.js';

/** Names of the committed vectors beside the parameters, in their order. */
export interface VectorKinds {
  readonly momentum: boolean;
  readonly moments: boolean;
}

function namesOf({ momentum, moments }: VectorKinds): string[] {
  return [...(momentum ? ['outer_momentum'] : []), ...(moments ? ['moment1', 'moment2'] : [])];
}

/** Inner steps of a run, as a checkpoint's name has them. */
export function stepOf({ progress }: RunState): number {
  return Math.floor(progress.position + 1e-6);
}

/**
 * Saves the committed vectors and the run's state, in the layout of every run's checkpoints.
 *
 * @param layout of the trained parameters
 */
export async function saveClusterCheckpoint(
  checkpoints: string,
  layout: ParameterLayout,
  kinds: VectorKinds,
  state: RunState,
  vectors: readonly Float32Array[],
  keep: number,
  frozen?: FrozenPart,
): Promise<void> {
  const [parameters, ...rest] = vectors;
  const others = new Map(namesOf(kinds).map((name, i) => [name, rest[i]!]));
  const content = { parameters: parameters!, others, state: JSON.parse(JSON.stringify(state)) as JsonValue };
  await saveVectors(checkpoints, stepOf(state), layout, content, { keep, frozen });
}

/** What a run's folder knows. */
export interface FolderState {
  /** After the last commit that is there; undefined: none. */
  readonly state: RunState | undefined;
  readonly notices: readonly string[];
}

/**
 * Brings the keeper to the last commit that the folder holds: the newest sound checkpoint, then the journal's commits,
 * each checked by its hash.
 *
 * @throws MeanfieldError when the checkpoint was trained beside other frozen parameters than the folder's
 */
export async function loadFolder(
  folder: {
    readonly checkpoints: string;
    readonly journal: Journal;
    readonly frozen?: FrozenPart | undefined;
  },
  layout: ParameterLayout,
  kinds: VectorKinds,
  keeper: Keeper,
  initial: { readonly state: RunState | undefined; readonly vectors: () => Promise<readonly Float32Array[]> },
): Promise<FolderState> {
  const stateOf = (one: Checkpoint) => parseState(one.state, `${one.path}/state.json`);
  const { checkpoint, notices } = await loadLatestCheckpoint(folder.checkpoints, stateOf);
  const all = [...notices];
  let { state } = initial;
  if (checkpoint) {
    try {
      state = stateOf(checkpoint);
      const { parameters, others } = await readVectors(checkpoint, layout, namesOf(kinds), folder.frozen);
      const { hash } = await keeper.load(state.rounds.committed.round, [parameters, ...others.values()]);
      requireHash(hash, state, checkpoint.path);
    } finally {
      await checkpoint.close();
    }
  } else await keeper.load(0, await initial.vectors());
  const from = keeper.held.round;
  for (const round of await folder.journal.rounds()) {
    if (round <= from) continue;
    try {
      const entry = await folder.journal.read(round);
      const { hash } = await keeper.apply(round, entry.fragment, entry.parts);
      state = entry.state;
      requireHash(hash, state, `the commit of round ${round}`);
    } catch (error) {
      if (!(error instanceof MeanfieldError)) throw error;
      all.push(`${error.message} What was committed after it is looked for in the message system.`);
      break;
    }
  }
  return { state: keeper.held.hash === state?.rounds.committed.hash ? state : undefined, notices: all };
}

function requireHash(hash: string, { rounds }: RunState, what: string): void {
  if (hash === rounds.committed.hash) return;
  throw new MeanfieldError(
    `${what} gives parameters with the hash ${hash.slice(0, 12)}, but round ${rounds.committed.round} was committed with ${rounds.committed.hash.slice(0, 12)}.`,
  );
}
