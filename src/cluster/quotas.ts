/** Results after a snapshot at most: who joins fetches them one after another. */
export const MOST_RESULTS = 16;
/** Bytes of results for one of a snapshot: each snapshot is sent whole, whether anybody joins or not. */
export const RESULTS_TO_SNAPSHOT = 2;

/** Bytes of a chunk at least, where there are several, and what a message system adds to each for its subject. */
const CHUNK = 500_000;
const PER_CHUNK = 512;
/** Bytes of a reference in a list of parts. */
const PER_REFERENCE = 400;
/** Rounds that commit while a snapshot is under way, and rounds whose results are given up: so many in all. */
const MORE_RESULTS = 4;
/** Contributions of a worker that are there at once: to the round in progress, to the last one, and late parts of others. */
const CONTRIBUTIONS = 4;
/** Snapshots that are there at once: the one in use, the one before, the one that is being stored, and a failed one. */
const SNAPSHOTS = 4;
/** For the configuration, lists, and what the system rounds up: bytes. */
const MARGIN = 2 ** 20;

/** What the sizes of all that is stored follow from. */
export interface StoredSizes {
  /** Bytes of each part of a contribution or a result, by fragment and shard. */
  readonly parts: readonly (readonly number[])[];
  /** Committed vectors, and elements of each: the trained parameters. */
  readonly vectors: number;
  readonly length: number;
}

/**
 * Bytes that a worker may have stored at once: its contributions, and all results since the snapshot before the last,
 * since it may have to sum every shard. They are an upper bound for whoever does what it is asked to.
 */
export function workerQuota({ parts, vectors, length }: StoredSizes): number {
  const [result, contribution] = [largest(parts, 0), largest(parts, 1)];
  return MARGIN + CONTRIBUTIONS * contribution + keptResults(result, 4 * vectors * length);
}

/**
 * Bytes that the run itself may have stored: tokens, frozen parameters, snapshots, and sums that the coordinator has made itself, which may
 * be all.
 *
 * @param data bytes of the tokens and the frozen parameters that the coordinator sends
 */
export function runQuota({ parts, vectors, length }: StoredSizes, data: number): number {
  const snapshot = 4 * vectors * length;
  return 16 * MARGIN + stored(data) + SNAPSHOTS * stored(snapshot) + keptResults(largest(parts, 1), snapshot);
}

/** Results since the last snapshot, and those since the one before it, along which somebody may be on the way. */
function keptResults(result: number, snapshot: number): number {
  const between = Math.min(MOST_RESULTS * result, RESULTS_TO_SNAPSHOT * snapshot + result);
  return 2 * between + MORE_RESULTS * result;
}

/** The most that the parts of one fragment take, with as many lists of them. */
function largest(parts: StoredSizes['parts'], lists: number): number {
  return Math.max(
    ...parts.map(
      (shards) =>
        shards.reduce((sum, bytes) => sum + stored(bytes), 0) + lists * stored(2 + PER_REFERENCE * shards.length),
    ),
  );
}

/** What the system counts for so many bytes. */
function stored(bytes: number): number {
  return bytes + PER_CHUNK * Math.ceil(Math.max(1, bytes) / CHUNK);
}
