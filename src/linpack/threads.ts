import { Worker } from 'node:worker_threads';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { workerFile } from '../base/worker-file.js';
import type { OnProgress } from './factor.js';
import { operations } from './measure.js';
import { SharedTeam, shareMemory } from './team.js';
import type { FactorType } from './types.js';
import type { ThreadInput, ThreadMessage } from './worker.js';

/** The result of one benchmark on this machine. */
export interface LinpackResult {
  readonly n: number;
  readonly nb: number;
  readonly threads: number;
  readonly seconds: number;
  /** 10⁹ operations a second, counted as 2/3 n³ + 3/2 n² in either precision. */
  readonly gflops: number;
  /** HPL's scaled residual; it passes below 16. */
  readonly residual: number;
  /** Of GMRES; 0 for HPL. */
  readonly iterations: number;
  /** Speed of matrix products in the factors' precision on all threads, measured just before. */
  readonly productGflops: number;
}

/** What {@link runLinpack} is asked. */
export interface LinpackOptions {
  readonly n: number;
  readonly nb: number;
  readonly threads: number;
  /** `float64` is HPL, `float32` HPL-MxP. */
  readonly type: FactorType;
  readonly onProgress?: OnProgress;
  /** Ends the threads, and the promise by its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Runs LINPACK on threads of this machine, with HPL's matrix.
 *
 * @throws MeanfieldError when the matrix has no pivot in the factors' precision, or a thread ends by itself
 */
export async function runLinpack(options: LinpackOptions): Promise<LinpackResult> {
  const { n, nb, threads, type, onProgress, signal } = options;
  signal?.throwIfAborted();
  const memory = shareMemory(threads, n, nb, type);
  const team = new SharedTeam(memory, 0, type);
  const stop = () => team.fail();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const ends = Array.from({ length: threads }, (_, rank) => runThread({ memory, rank, type }, onProgress));
    const settled = await Promise.allSettled(ends);
    signal?.throwIfAborted();
    const failures = settled.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    // Who waited for the one that failed only knows that it waited in vain.
    if (failures.length > 0) throw failures.find((error) => !(error instanceof LeftAlone)) ?? failures[0];
    const measured = settled.map((end) => (end as PromiseFulfilledResult<Measured>).value);
    const seconds = Math.max(...measured.map(({ milliseconds }) => milliseconds)) / 1000;
    return {
      n,
      nb,
      threads,
      seconds,
      gflops: operations(n) / seconds / 1e9,
      residual: measured[0]!.residual,
      iterations: measured[0]!.iterations,
      productGflops: measured.reduce((sum, { productGflops }) => sum + productGflops, 0),
    };
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

type Measured = Extract<ThreadMessage, { type: 'measured' }>;

/** A thread that ended because another had failed. */
class LeftAlone extends MeanfieldError {}

function runThread(input: ThreadInput, onProgress: OnProgress = () => {}): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerFile('linpack-worker'), { workerData: input });
    worker.on('message', (message: ThreadMessage) => {
      if (message.type === 'progress') {
        if (input.rank === 0) onProgress(message.share);
      } else if (message.type === 'measured') resolve(message);
      else reject(message.forUser ? new MeanfieldError(message.message) : new Error(message.message));
    });
    worker.on('error', (error) => {
      new SharedTeam(input.memory, input.rank, input.type).fail();
      reject(new MeanfieldError(`A LINPACK thread failed: ${messageOf(error)}.`, { cause: error }));
    });
    worker.on('exit', () => reject(new LeftAlone('A LINPACK thread ended before it had measured.')));
  });
}
