import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { findFiles } from '../src/data/corpus/find-files.js';
import { readBytes } from '../src/data/corpus/read-bytes.js';
import { BpePool } from '../src/data/dataset/bpe-pool.js';
import { type TextBatch, TextBatcher } from '../src/data/dataset/text-batches.js';
import { BpeTokenizer } from '../src/data/tokenizers/bpe.js';
import { lastWordCut } from '../src/data/tokenizers/pretokenize.js';
import { END_OF_TEXT } from '../src/data/tokenizers/tokenizer-files.js';
import { type BpeModel, trainBpe } from '../src/data/tokenizers/train-bpe.js';
import { WordCounter } from '../src/data/tokenizers/word-counts.js';

/** One line of the table; speeds in megabytes (10⁶ bytes) of text a second, medians of {@link RUNS} after a warm-up. */
export interface BpeFigure {
  measure: string;
  megabytesPerSecond: number;
}

export interface BpeFigures {
  megabytes: number;
  vocabularySize: number;
  peer: string;
  figures: BpeFigure[];
}

const RUNS = 5;
const VOCABULARY = 8192;
/** The peer is slow; it encodes the first part of the text only. */
const PEER_BYTES = 4_000_000;

/**
 * How fast BPE learns 8,192 tokens and encodes, beside `@huggingface/tokenizers`.
 *
 * @param args a folder with text: of its .txt files all, of its .jsonl files (also .gz) every different string
 */
export async function run(args: string[]): Promise<BpeFigures> {
  const folder = args[0];
  if (folder === undefined) throw new Error('Name a folder with at least 15 MB of text.');
  const text = Buffer.from((await distinctStrings(folder)).join('\n'));
  const megabytes = text.length / 1e6;
  const figures: BpeFigure[] = [];
  const record = (measure: string, bytes: number, seconds: number) => {
    const megabytesPerSecond = bytes / 1e6 / seconds;
    figures.push({ measure, megabytesPerSecond });
    console.log(`${measure.padEnd(44)} ${megabytesPerSecond.toFixed(1).padStart(8)} MB/s`);
  };
  console.log(`BPE of ${VOCABULARY} tokens on ${megabytes.toFixed(1)} MB of different text`);

  let model: BpeModel | undefined;
  const train = () => {
    const counter = new WordCounter();
    counter.addText(text);
    model = trainBpe(counter.result(), { vocabularySize: VOCABULARY, special: [END_OF_TEXT] });
  };
  record('train, 1 thread', text.length, await median(train));
  if (model === undefined) throw new Error('Training gave no tokenizer.');
  const trained = model;

  for (const workers of [1, 2]) {
    const pool = new BpePool(workers);
    record(`train, ${workers} worker${workers > 1 ? 's' : ''}`, text.length, await median(() => trainIn(pool, text)));
    await pool.useModel(trained);
    const encode = async () => {
      await Promise.all(batches(text).map((batch) => pool.encode(batch)));
    };
    record(`encode, ${workers} worker${workers > 1 ? 's' : ''}`, text.length, await median(encode));
    await pool.close();
  }
  const tokenizer = new BpeTokenizer(trained);
  record('encode, in the calling thread', text.length, await median(() => tokenizer.encode(text)));

  const entry = createRequire(import.meta.url).resolve('@huggingface/tokenizers');
  const { version } = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'));
  const files = tokenizer.files();
  const theirs = new Tokenizer(JSON.parse(files['tokenizer.json']), JSON.parse(files['tokenizer_config.json']));
  const cut = lastWordCut(text, PEER_BYTES) || text.length;
  const lines = text.subarray(0, cut).toString();
  const peer = `@huggingface/tokenizers ${version}`;
  record(`encode, ${peer}`, cut, await median(() => theirs.encode(lines), 1));
  return { megabytes, vocabularySize: trained.tokens.length, peer, figures };
}

async function trainIn(pool: BpePool, text: Buffer): Promise<void> {
  await Promise.all(batches(text).map((batch) => pool.count(batch)));
  trainBpe(await pool.counts(), { vocabularySize: VOCABULARY, special: [END_OF_TEXT] });
}

/** The text in batches, as a corpus is encoded; the threads take their bytes away, so each run cuts them anew. */
function batches(text: Buffer): TextBatch[] {
  const batcher = new TextBatcher(lastWordCut);
  const found: (TextBatch | undefined)[] = [];
  const step = 1 << 18;
  for (let at = 0; at < text.length; at += step) {
    found.push(batcher.add({ bytes: text.subarray(at, at + step), source: 'bench', end: at + step >= text.length }));
  }
  found.push(batcher.flush());
  return found.filter((batch) => batch !== undefined);
}

async function median(work: () => unknown, runs = RUNS): Promise<number> {
  await work();
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await work();
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds.sort((a, b) => a - b)[runs >> 1]!;
}

/** Every different text of a folder. */
async function distinctStrings(folder: string): Promise<string[]> {
  const found = new Set<string>();
  const { files } = await findFiles({ paths: [folder], extensions: ['.txt', '.jsonl'] });
  for (const { path } of files) {
    if (path.endsWith('.txt')) {
      found.add(readFileSync(path, 'utf8'));
      continue;
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of readBytes(path)) pieces.push(piece);
    for (const line of Buffer.concat(pieces).toString().split('\n')) if (line !== '') collect(JSON.parse(line), found);
  }
  return [...found];
}

function collect(value: unknown, into: Set<string>): void {
  if (typeof value === 'string') into.add(value);
  else if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) collect(item, into);
}
