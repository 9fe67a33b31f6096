import { availableParallelism } from 'node:os';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import { chooseDevice } from '../engine/node/create.js';
import type { TrainEvent } from '../run/events.js';
import type { OpenRun } from '../run/open-run.js';
import { isOffloaded, isSharded, ofWhole, optimizerName, type ParsedTrainOptions } from '../run/options.js';
import { startsFromFiles } from '../run/start-vectors.js';
import { openBase } from '../run/streamed-base.js';
import type { Settle } from '../run/task.js';
import { MOMENTS_PRECISIONS } from '../training/optimizers.js';
import { averagingOf, exchangeOf, memoryLimit, optimizerOf } from './arrange-run.js';
import { fitOf, fitText, fittingWay, type Searched, unfitText } from './fitting-way.js';
import { layeredWays, sharedWay, wholeWays } from './ways.js';

/**
 * Decides how a run is trained so that it fits into its `memory`, if it has any, and says what and why. A run that is taken
 * up again stays as it is; that is only checked.
 *
 * @throws MeanfieldError with the sums, where no way fits
 */
export async function settleMemory(
  run: OpenRun,
  known: Parameters<Settle>[0],
  emit: (event: TrainEvent) => void,
): Promise<void> {
  const { options, chosen } = run;
  const { memory, force } = options;
  if (memory === undefined) return;
  const device = isOffloaded(options) ? 'cpu' : (chosen.device ?? (await chooseDevice(options.device)));
  if (device !== 'cpu')
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('memory', memory)} is of this machine's memory, and on ${device} the model is in that of the device. Take ` +
        `${option('device', 'cpu')}, or leave ${option('memory')} out.`,
    );
  const limit = memoryLimit(options);
  const reasons: string[] = [];
  const searched: Searched = { limit, ...(await waysOf(run, known, limit, (reason) => reasons.push(reason))) };
  const found = fittingWay(searched);
  const asked = { memory, free: limit < 1e9 * memory };
  if (!found.way && !force)
    throw spelledError(MeanfieldError, (spelling) => unfitText(found.passed, asked, reasons, spelling));
  // Forced, it takes what needs least.
  const way = found.way ?? found.passed.reduce((least, one) => (one.total < least.total ? one : least));
  const before = optimizerName(options);
  await run.settle(way);
  const optimizer = { before, after: optimizerName(options) };
  emit({ type: 'notice', message: fitText(way, found.passed, asked, optimizer), fit: fitOf(way, limit) });
}

/** The ways that are left open, the fastest first. */
async function waysOf(
  { options, chosen }: OpenRun,
  { learned, rates, matrices }: Parameters<Settle>[0],
  limit: number,
  refused: (reason: string) => void,
): Promise<Omit<Searched, 'limit'>> {
  const replicas = chosen.replicas ?? (options.replicas === 'auto' ? 1 : options.replicas);
  const threads = chosen.threads ?? options.threads ?? Math.max(1, Math.floor(availableParallelism() / replicas));
  const optimizer = chosen.optimizer ?? optimizerOf(options, { rates, matrices });
  const averaging = chosen.averaging ?? averagingOf(options, optimizer, replicas);
  const setup = {
    ...{ learned, replicas, threads, optimizer },
    batchSize: options.batchSize,
    gradAccum: options.gradAccum,
    dropout: options.dropout,
    precision: options.precision === 'int8' ? options.precision : undefined,
    recompute: chosen.recompute,
    exchange: exchangeOf(replicas, averaging),
    averageMoments: options.moments === 'average',
    sharded: options.zero > 0 && replicas > 1,
  };
  if (isSharded(options, { replicas }))
    return { ways: [sharedWay({ ...setup, read: options.from !== undefined }, options.zero === 2 ? 2 : 3)] };
  // A run that has begun goes on as it did, with or without a memory by then.
  const held = options.offload ?? (chosen.schedule === undefined ? undefined : 'none');
  const read = !(
    options.from === undefined || (await startsFromFiles({ chosen, options: { ...options, offload: 'all' } }))
  );
  const layered =
    held === 'none' || !(await opens(options, refused)) ? [] : layeredWays(options, { ...setup, read }, refused);
  if (layered.length === 0 && held !== 'none' && options.module === undefined)
    for (const { name, why } of ofWhole({ ...options, offload: 'all' })) refused(`${name}: ${why}`);
  const open = layered.filter(({ offload }) => held === undefined || offload === held);
  if (held !== undefined && held !== 'none') return { ways: open };
  // Where others fit, a graph whose vectors alone do not is not traced.
  const mayNarrow =
    options.momentsPrecision === 'fp32' && chosen.schedule === undefined && replicas === 1 && options.zero === 0;
  const keeping = mayNarrow ? MOMENTS_PRECISIONS : undefined;
  return {
    ways: wholeWays(setup, { most: open.length > 0 ? limit : undefined, keeping }),
    others: open,
  };
}

/** Whether the layers of the model that an adapter is trained beside can be read from its files. */
async function opens(
  { from, adapter }: Pick<ParsedTrainOptions, 'from' | 'adapter'>,
  refused: (reason: string) => void,
): Promise<boolean> {
  if (from === undefined || adapter === undefined) return true;
  try {
    await (await openBase(from)).close();
    return true;
  } catch (error) {
    if (!(error instanceof MeanfieldError)) throw error;
    refused(error.message);
    return false;
  }
}
