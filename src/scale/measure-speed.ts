import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { startTraining } from '../local/train.js';
import { speedOf, type TimedRun, type TrainingSpeed } from './cost.js';
import type { LadderSettings } from './ladder.js';
import type { LadderSize } from './sizes.js';

/** The longest that a size is timed for. */
const MOST_SECONDS = 120;

/**
 * Times trainings of two sizes on this machine, each on one thread with as many beside it as there are places, since cores
 * share memory and clock.
 *
 * @param folder made, and taken away again
 * @param seconds of each
 * @throws MeanfieldError when the corpus cannot be used
 */
export async function measureSpeed(
  [small, large]: readonly [LadderSize, LadderSize],
  { context, batchSize }: Pick<LadderSettings, 'context' | 'batchSize'>,
  corpus: readonly string[],
  { folder, seconds, places, signal }: { folder: string; seconds: number; places: number; signal: AbortSignal },
): Promise<TrainingSpeed | undefined> {
  const timed = async (size: LadderSize, name: string, limit = seconds): Promise<TimedRun | undefined> => {
    const { layers, width, heads, parameters } = size;
    const result = await startTraining({
      ...{ corpus, run: join(folder, name), tokenizer: 'bytes', model: 'gpt2' },
      ...{ layers, width, heads, context, batchSize, threads: 1, replicas: 1, lr: 1e-4 },
      ...{ minutes: limit / 60, evalEvery: 1e9, signal },
    }).result;
    if (result.interrupted) return undefined;
    const { tokens, tokensPerSecond } = result;
    // The first steps of a run are not timed; on a slow machine there may be no others.
    if (!(tokensPerSecond > 0) && limit < MOST_SECONDS) return timed(size, `${name}-again`, 2 * limit);
    if (!(tokensPerSecond > 0))
      throw new MeanfieldError(
        `This machine made too few steps of ${parameters} parameters in ${limit} s to be timed. Take smaller models, or a machine with less other work.`,
      );
    return { parameters, tokensPerSecond, overhead: Math.max(0, result.seconds - tokens / tokensPerSecond) };
  };
  try {
    const group = (size: LadderSize, count: number) =>
      Array.from({ length: count }, (_, i) => timed(size, `${size.parameters}-${i}`));
    const half = Math.floor(places / 2);
    const smalls = group(small, Math.max(1, half));
    if (places === 1) await Promise.all(smalls);
    const larges = group(large, Math.max(1, places - half));
    const [a, b] = await Promise.all([Promise.all(smalls), Promise.all(larges)]);
    const [one, other] = [meanOf(a), meanOf(b)];
    return one && other && speedOf(one, other);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function meanOf(runs: readonly (TimedRun | undefined)[]): TimedRun | undefined {
  const whole = runs.filter((run) => run !== undefined);
  if (whole.length < runs.length) return undefined;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    parameters: whole[0]!.parameters,
    tokensPerSecond: mean(whole.map(({ tokensPerSecond }) => tokensPerSecond)),
    overhead: mean(whole.map(({ overhead }) => overhead)),
  };
}
