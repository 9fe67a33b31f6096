import type { CorpusOptions } from '../corpus/types.js';
import type { ShardList } from '../shards/shard-list.js';
import { ShardWriter } from '../shards/shard-writer.js';
import { BpeTokenizer } from '../tokenizers/bpe.js';
import { BytesTokenizer } from '../tokenizers/bytes.js';
import { CharsTokenizer } from '../tokenizers/chars.js';
import { withMask } from '../tokenizers/mask-token.js';
import { lastWordCut } from '../tokenizers/pretokenize.js';
import { SENTINELS, withSentinels } from '../tokenizers/sentinel-tokens.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { END_OF_TEXT } from '../tokenizers/tokenizer-files.js';
import { trainBpeInTurns } from '../tokenizers/train-bpe.js';
import { BpePool } from './bpe-pool.js';
import { type CorpusFiles, corpusDocuments } from './corpus-documents.js';
import { encodeBatch } from './encode-batch.js';
import type { PrepareOptions } from './prepare.js';
import { ContentHash, type CorpusScan, corpusChanged } from './scan.js';
import { type Part, SplitRouter } from './split.js';
import { type TextBatch, TextBatcher } from './text-batches.js';

/** BPE learns from at most so many bytes, evenly spread over the training part, so that its memory stays bounded. */
const BPE_TRAINING_BYTES = 2 ** 29;

/** How a corpus that was scanned is turned into tokens. */
export interface EncodeCorpusOptions {
  folder: string;
  tokenizer: PrepareOptions['tokenizer'];
  /** Whether a tokenizer that is made here gets a mask token. */
  mask: boolean;
  /** Whether a `bpe` that is made here gets sentinels. */
  sentinels?: boolean;
  /** Tokens of a `bpe` that is made here, the mask and sentinels among them. */
  vocabularySize: number;
  /** How often a pair must come for `bpe` to merge it. */
  minFrequency: number;
  workers: number;
  shardTokens: number;
  onProgress: PrepareOptions['onProgress'];
}

/** Makes the tokenizer if need be, then writes the tokens of both parts. */
export async function encodeCorpus(
  corpus: CorpusOptions,
  scan: CorpusScan,
  files: CorpusFiles,
  options: EncodeCorpusOptions,
): Promise<{ tokenizer: Tokenizer; train: ShardList; validation: ShardList }> {
  const needsPool = options.tokenizer === 'bpe' || options.tokenizer instanceof BpeTokenizer;
  const pool = needsPool ? new BpePool(options.workers, corpus.signal) : undefined;
  try {
    const tokenizer = await makeTokenizer(corpus, scan, files, options, pool);
    let encode: (batch: TextBatch) => Promise<Uint32Array> = async (batch) => encodeBatch(tokenizer, batch);
    if (pool !== undefined && tokenizer instanceof BpeTokenizer) {
      await pool.useModel(tokenizer.model);
      encode = (batch) => pool.encode(batch);
    }
    return { tokenizer, ...(await writeTokens(corpus, scan, files, options, tokenizer, encode, pool?.depth ?? 1)) };
  } finally {
    await pool?.close();
  }
}

async function makeTokenizer(
  corpus: CorpusOptions,
  scan: CorpusScan,
  files: CorpusFiles,
  { tokenizer, mask, sentinels, vocabularySize, minFrequency, onProgress }: EncodeCorpusOptions,
  pool: BpePool | undefined,
): Promise<Tokenizer> {
  if (tokenizer === 'chars') return new CharsTokenizer(scan.characters ?? [], { mask });
  if (tokenizer === 'bytes') return new BytesTokenizer({ mask });
  if (tokenizer !== 'bpe' || pool === undefined) return tokenizer as Tokenizer;

  const share = Math.min(1, BPE_TRAINING_BYTES / scan.statistics.bytes);
  let credit = 0;
  const counting = new Queue<void>(pool.depth, async () => {});
  for await (const { part, batch, read } of batches(corpus, scan, files, lastWordCut)) {
    onProgress?.({ phase: 'counting', done: read, total: scan.statistics.bytes });
    if (part !== 'train') continue;
    credit += batch.bytes.length * share;
    if (credit < batch.bytes.length) continue;
    credit -= batch.bytes.length;
    await counting.add(pool.count(batch));
  }
  await counting.end();
  const counts = await pool.counts();
  const progress = (done: number) => onProgress?.({ phase: 'merging', done, total: vocabularySize });
  progress(0);
  const special = [END_OF_TEXT];
  const learned = vocabularySize - (mask ? 1 : 0) - (sentinels ? SENTINELS : 0);
  const training = { vocabularySize: learned, special, minFrequency, onProgress: progress };
  const model = await trainBpeInTurns(counts, training, corpus.signal);
  const masked = mask ? withMask(model) : model;
  return new BpeTokenizer(sentinels ? withSentinels(masked) : masked);
}

async function writeTokens(
  corpus: CorpusOptions,
  scan: CorpusScan,
  files: CorpusFiles,
  { folder, shardTokens, onProgress }: EncodeCorpusOptions,
  tokenizer: Tokenizer,
  encode: (batch: TextBatch) => Promise<Uint32Array>,
  depth: number,
): Promise<{ train: ShardList; validation: ShardList }> {
  const writer = (part: Part) => new ShardWriter(folder, part, tokenizer.vocabularySize, shardTokens);
  const writers = { train: writer('train'), validation: writer('validation') };
  const begun = { train: false, validation: false };
  const queue = new Queue<{ part: Part; ids: Uint32Array }>(depth, async ({ part, ids }) => {
    // The token between documents stands before each, the first of a part excepted.
    const skip = begun[part] || tokenizer.endOfText === undefined ? 0 : 1;
    begun[part] = true;
    await writers[part].write(ids.subarray(skip));
  });
  try {
    const lastCut = (bytes: Uint8Array, length: number, from: number) => tokenizer.lastCut(bytes, length, from);
    for await (const { part, batch, read } of batches(corpus, scan, files, lastCut)) {
      onProgress?.({ phase: 'encoding', done: read, total: scan.statistics.bytes });
      await queue.add(encode(batch).then((ids) => ({ part, ids })));
    }
    await queue.end();
    return { train: await writers.train.finish(), validation: await writers.validation.finish() };
  } finally {
    await writers.train.abandon();
    await writers.validation.abandon();
  }
}

/**
 * Reads the corpus again and gives batches of its two parts.
 *
 * @throws MeanfieldError at the end when the text is not the one that was scanned
 */
async function* batches(
  corpus: CorpusOptions,
  scan: CorpusScan,
  files: CorpusFiles,
  lastCut: (bytes: Uint8Array, length: number, from: number) => number,
): AsyncGenerator<{ part: Part; batch: TextBatch; read: number }> {
  const content = new ContentHash();
  const router = new SplitRouter(scan.split);
  const batchers = { train: new TextBatcher(lastCut), validation: new TextBatcher(lastCut) };
  let read = 0;
  const documents = corpusDocuments(corpus, files);
  for await (const whole of documents) {
    content.add(whole);
    read += whole.bytes.length;
    for (const { part, piece } of router.route(whole)) {
      const batch = batchers[part].add(piece);
      if (batch !== undefined) yield { part, batch, read };
    }
  }
  for (const part of ['train', 'validation'] as const) {
    const batch = batchers[part].flush();
    if (batch !== undefined) yield { part, batch, read };
  }
  if (content.digest(documents.training) !== scan.content) throw corpusChanged();
}

/** Waits for promises in the order in which they were added, keeping at most `depth` under way. */
class Queue<T> {
  readonly #depth: number;
  readonly #use: (value: T) => Promise<void>;
  #waiting: Promise<T>[] = [];

  constructor(depth: number, use: (value: T) => Promise<void>) {
    this.#depth = depth;
    this.#use = use;
  }

  async add(promise: Promise<T>): Promise<void> {
    // It is awaited below; without this a failure before that would end the process.
    promise.catch(() => {});
    this.#waiting.push(promise);
    while (this.#waiting.length > this.#depth) await this.#use(await this.#waiting.shift()!);
  }

  async end(): Promise<void> {
    for (const promise of this.#waiting.splice(0)) await this.#use(await promise);
  }
}
