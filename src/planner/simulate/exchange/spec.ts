import { UsageError } from '../../../base/errors.js';
import { Random } from '../../../base/random.js';
import { demandsOf, isCount, isNotNegative, isPositive } from '../demand.js';

/** A kind of network line, and how common it is among the workers. */
export interface LineKind {
  /** Of the workers; the shares of all kinds add up to anything above 0. */
  readonly share: number;
  /** Bytes a second from and to the worker; both at once. */
  readonly up: number;
  readonly down: number;
}

/** One averaging: every worker's vector is cut into shards, each summed by one worker and fetched by all. */
export interface ExchangeSpec {
  readonly workers: number;
  /** Elements of the vector. */
  readonly parameters: number;
  /** Pieces that the vector is cut into; at most as many workers sum. */
  readonly shards: number;
  /** Of a contribution, and of the merged vector (the same where not given). */
  readonly bytesPerParameter: number;
  readonly resultBytesPerParameter?: number;
  readonly lines: readonly LineKind[];
  /** Seconds of a message from one worker to another. 0 */
  readonly latency?: number;
  /** The workers become ready evenly spread over so many seconds. 0 */
  readonly spread?: number;
  /** Bytes of fp32 sums a second that a reducer adds up. 4e9 */
  readonly sumRate?: number;
  readonly seed?: number;
}

/** A worker: its line, and when its vector is there. */
export interface Participant {
  readonly up: number;
  readonly down: number;
  readonly ready: number;
}

/** More transfers than are computed in a minute or so. */
const MOST_TRANSFERS = 50_000_000;
const MOST_LINES = 32;

/** @throws UsageError naming what is out of range or absurdly large */
export function checkExchange(spec: ExchangeSpec): void {
  const demand = demandsOf('An exchange');
  const { workers, parameters, shards, lines, latency = 0, spread = 0, sumRate = 1 } = spec;
  const { bytesPerParameter, resultBytesPerParameter = bytesPerParameter } = spec;
  demand('number of workers', Number.isSafeInteger(workers) && workers >= 2, 'a whole number from 2', workers);
  demand('number of parameters', isCount(parameters), 'a whole number from 1', parameters);
  demand(
    'number of shards',
    Number.isSafeInteger(shards) && shards >= 1 && shards <= parameters,
    'a whole number from 1, at most one a parameter',
    shards,
  );
  demand('bytes of a parameter', isPositive(bytesPerParameter), 'above 0', bytesPerParameter);
  demand('bytes of a merged parameter', isPositive(resultBytesPerParameter), 'above 0', resultBytesPerParameter);
  demand('latency', isNotNegative(latency), 'seconds from 0', latency);
  demand('spread', isNotNegative(spread), 'seconds from 0', spread);
  demand('rate of sums', isPositive(sumRate), 'bytes a second above 0', sumRate);
  demand(
    'number of kinds of line',
    lines.length >= 1 && lines.length <= MOST_LINES,
    `from 1 to ${MOST_LINES}`,
    lines.length,
  );
  for (const { share, up, down } of lines) {
    demand('share of a line', isNotNegative(share), 'from 0', share);
    demand(
      'line',
      isPositive(up) && isPositive(down),
      'bytes a second above 0 in both directions',
      `${up} up, ${down} down`,
    );
  }
  demand(
    'shares of lines',
    lines.some(({ share }) => share > 0),
    'above 0 in all',
    0,
  );
  const transfers = 2 * (workers - 1) * Math.min(workers, shards);
  if (transfers > MOST_TRANSFERS)
    throw new UsageError(
      `This exchange makes ${transfers} transfers; at most ${MOST_TRANSFERS} are simulated. Take fewer workers or shards.`,
    );
}

/** The workers in the order in which a coordinator takes reducers: the best lines first. */
export function participantsOf(spec: ExchangeSpec): Participant[] {
  const { workers, lines, spread = 0, seed = 1 } = spec;
  const random = new Random(seed, 'exchange');
  const total = lines.reduce((sum, { share }) => sum + share, 0);
  let before = 0;
  const ends = lines.map(({ share }) => Math.round(((before += share) / total) * workers));
  const kindOf = (worker: number) => lines[ends.findIndex((end) => worker < end)]!;
  return Array.from({ length: workers }, (_, i) => {
    const { up, down } = kindOf(i);
    return { up, down, ready: spread * random.uniform() };
  }).sort((a, b) => Math.min(b.up, b.down) - Math.min(a.up, a.down));
}
