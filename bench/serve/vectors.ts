import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cosine } from '../../src/base/cosine.js';
import { Random } from '../../src/base/random.js';
import { exportModel } from '../../src/export/export-model.js';
import { median, type Outcome, python, root, runJson } from '../lib.js';
import { startServing } from '../soak/serving.js';
import { packageOf, peerOf, versionOf } from './text-peers.js';

interface VectorSizes {
  readonly count: number;
  readonly threads: number;
  readonly rounds: number;
}

const WORDS =
  'the of a river stone engine language paper quick answer winter market is was under between because seven small light'.split(
    ' ',
  );

/** Sentences a second: ours over HTTP, all in one request; the peers' by their own call, all in one as well. */
export async function vectorRows(model: string, temporary: string, sizes: VectorSizes): Promise<string[][]> {
  const sentences = sentencesOf(sizes.count);
  const file = join(temporary, 'sentences.json');
  await writeFile(file, JSON.stringify(sentences));
  const { threads, rounds } = sizes;
  const rows: string[][] = [];
  const add = (name: string, { skipped, seconds }: Outcome) => {
    const times = seconds as number[];
    rows.push(
      skipped === undefined
        ? [
            name,
            (sizes.count / median(times)).toFixed(0),
            times.map((each) => (sizes.count / each).toFixed(0)).join(', '),
          ]
        : [name, `skipped: ${skipped}`, ''],
    );
  };
  const vectors: Float32Array[][] = [];
  for (const precision of ['fp32', 'int8']) {
    const { seconds, vectors: made } = await ours(model, sentences, sizes, precision);
    vectors.push(made);
    add(`Meanfield, ${precision}`, { seconds });
  }
  rows.at(-1)!.push(likeness(vectors[0]!, vectors[1]!));
  const js = packageOf('@huggingface/transformers');
  for (const dtype of ['fp32', 'q8'] as const) {
    const name = `transformers.js ${versionOf('@huggingface/transformers')}, ${dtype}`;
    if (!existsSync(js)) add(name, { skipped: 'no @huggingface/transformers in MEANFIELD_PROGRAMS' });
    else {
      await exportModel(model, { to: 'onnx', dtype, out: join(temporary, `vectors-${dtype}`) });
      const module = join(js, 'dist/transformers.node.mjs');
      const options = JSON.stringify({ dtype, threads, rounds, sentences: file });
      add(name, await peerOf('transformers-vectors.mjs', [module, temporary, `vectors-${dtype}`, options]));
    }
  }
  const script = `${root}bench/peers/sentence_vectors.py`;
  const python_ = await runJson(python, [script, model, file, String(threads), String(rounds)]);
  add(`sentence-transformers ${python_.version ?? ''}, fp32`, python_);
  return rows;
}

async function ours(model: string, input: readonly string[], { threads, rounds }: VectorSizes, precision: string) {
  const options = ['--threads', String(threads), '--precision', precision];
  const serving = await startServing(`${root}dist/cli.js`, [model, ...options]);
  try {
    const seconds: number[] = [];
    let vectors: Float32Array[] = [];
    for (let round = 0; round <= rounds; round++) {
      const began = performance.now();
      const body = JSON.stringify({ input, encoding_format: 'base64' });
      const response = await fetch(`${serving.url}/v1/embeddings`, { method: 'POST', body });
      const { data, error } = (await response.json()) as {
        data?: { embedding: string }[];
        error?: { message: string };
      };
      if (data?.length !== input.length) throw new Error(`Expected ${input.length} vectors: ${error?.message}`);
      // What is met for the first time is no figure.
      if (round > 0) seconds.push((performance.now() - began) / 1000);
      vectors = data.map(({ embedding }) => new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer));
    }
    return { seconds, vectors };
  } finally {
    await serving.stop();
  }
}

/** The cosines of vectors to those of another precision: their mean, and the least. */
function likeness(these: readonly Float32Array[], those: readonly Float32Array[]): string {
  const all = these.map((one, i) => cosine(one, those[i]!));
  return `${(all.reduce((a, b) => a + b) / all.length).toFixed(5)}, ${Math.min(...all).toFixed(5)}`;
}

function sentencesOf(count: number): string[] {
  const random = new Random(1, 'sentences');
  return Array.from({ length: count }, () =>
    Array.from({ length: 4 + random.below(57) }, () => WORDS[random.below(WORDS.length)]).join(' '),
  );
}
