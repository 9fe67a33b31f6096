import { availableParallelism } from 'node:os';
import { type AnswerPair, PairList } from '../data/chat/pair.js';
import { openRowFile } from '../data/chat/prepare.js';
import { holdsReference, type ReferenceKey, writeReference } from '../data/chat/reference-file.js';
import { NodeEngine } from '../engine/node/engine.js';
import type { Preference } from '../objectives/preference/preference.js';
import { feedArrays, traceScores, vectorArrays } from '../training/step-program.js';

/** What log probabilities are computed of, and by what. */
export interface ReferenceOptions {
  /** The data set's folder, which holds them in the end. */
  readonly folder: string;
  /** The data set, and the sha256 of the model. */
  readonly key: ReferenceKey;
  readonly learned: Preference;
  /** The vectors that training begins with. */
  readonly start: () => Promise<{ readonly trained: Float32Array; readonly frozen: Float32Array }>;
  /** Pairs in one run of the graph. */
  readonly batch: number;
  readonly threads?: number | undefined;
  readonly onProgress: (fraction: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Computes the log probability of every answer by the model that a run starts from, once, before it changes: then no
 * second model is needed beside it. What is there already stays.
 *
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function prepareReference(options: ReferenceOptions): Promise<void> {
  const { folder, key, learned, start, batch } = options;
  if (await holdsReference(folder, key)) return;
  const engine = new NodeEngine();
  const threads = options.threads ?? availableParallelism();
  const judge: Preference['logProbabilities'] = (...inputs) => learned.logProbabilities(...inputs);
  const scoring = { judge: (...inputs: Parameters<typeof judge>) => ({ scores: judge(...inputs) }), score: never };
  const session = await engine.compile(traceScores(learned, scoring, batch, engine), { threads });
  try {
    const { trained, frozen } = await start();
    const vectors = {
      ...vectorArrays(learned.layout, 'parameters', trained, engine.views),
      ...vectorArrays(learned.frozen, 'frozen', frozen, engine.views),
    };
    const arrays = feedArrays(learned, batch);
    // It is what is computed here.
    const { reference: _none, ...feeds } = arrays;
    const files = { train: await openRowFile(folder, 'train'), validation: await openRowFile(folder, 'validation') };
    const [pairs, held] = [new PairList(files.train), new PairList(files.validation)];
    let done = 0;
    const computed = async (list: PairList): Promise<Float32Array> => {
      const found = new Float32Array(2 * list.length);
      for (let first = 0; first < list.length; first += batch) {
        options.signal?.throwIfAborted();
        // The last of them are computed more than once, so that one size of graph does.
        const numbers = Array.from({ length: batch }, (_, i) => Math.min(first + i, list.length - 1));
        learned.fill(
          numbers.map((number): AnswerPair => list.at(number)),
          arrays,
        );
        const scores = (await session.run({ ...vectors, ...feeds })).scores as Float32Array;
        for (const [i, number] of numbers.entries()) {
          found[2 * number] = scores[i]!;
          found[2 * number + 1] = scores[batch + i]!;
        }
        done += batch;
        options.onProgress(Math.min(1, done / (pairs.length + held.length)));
      }
      return found;
    };
    try {
      await writeReference(folder, key, { train: await computed(pairs), validation: await computed(held) });
    } finally {
      files.train.close();
      files.validation.close();
    }
  } finally {
    await session.dispose();
  }
}

function never(): never {
  throw new Error('what is judged is read as it is');
}
