import { createHash } from 'node:crypto';
import { MeanfieldError } from '../../base/errors.js';
import type { CorpusOptions, CorpusStatistics, DocumentPiece } from '../corpus/types.js';
import { CharacterSet } from '../tokenizers/chars.js';
import { lastCharacterCut } from '../tokenizers/utf8.js';
import { type CorpusFiles, corpusDocuments } from './corpus-documents.js';
import { type Split, SplitPlanner } from './split.js';
import { forEachSegment, TextBatcher } from './text-batches.js';

/** What is known of a corpus after it was read once. */
export interface CorpusScan {
  /** The sha256 over the sha256 of every document, in order. */
  content: string;
  statistics: CorpusStatistics;
  split: Split;
  /** The code points of the whole corpus, where they were asked for. */
  characters: number[] | undefined;
}

/** Hashes a corpus document by document. */
export class ContentHash {
  #all = createHash('sha256');
  #document = createHash('sha256');

  /** Returns the document's digest when it ends with this piece. */
  add({ bytes, end }: DocumentPiece): Buffer | undefined {
    this.#document.update(bytes);
    if (!end) return undefined;
    const digest = this.#document.digest();
    this.#document = createHash('sha256');
    this.#all.update(digest);
    return digest;
  }

  /** @param training of the documents, those before the ones that are held out, where these have files of their own */
  digest(training?: number): string {
    if (training !== undefined) this.#all.update(`held out from ${training}`);
    return this.#all.digest('hex');
  }
}

/** Reads a corpus once: its content hash, its split, and its characters if they are wanted. */
export async function scanCorpus(
  options: CorpusOptions & { validationFraction: number; characters: boolean },
  files: CorpusFiles,
  onBytes: (bytes: number) => void,
): Promise<CorpusScan> {
  const documents = corpusDocuments(options, files);
  const content = new ContentHash();
  const planner = new SplitPlanner(options.validationFraction);
  const characters = options.characters ? new CharacterSet() : undefined;
  const batcher = new TextBatcher(lastCharacterCut);
  const collect = (batch: ReturnType<TextBatcher['flush']>) => {
    if (batch !== undefined) forEachSegment(batch, (text) => characters?.add(text));
  };
  let bytes = 0;
  for await (const piece of documents) {
    const digest = content.add(piece);
    if (digest !== undefined) planner.add(digest);
    if (characters !== undefined) collect(batcher.add(piece));
    onBytes((bytes += piece.bytes.length));
  }
  collect(batcher.flush());
  const { statistics, training } = documents;
  if (planner.allEqual && training === undefined) {
    statistics.remarks.push(
      `All ${statistics.documents} documents are equal: the end of their text validates, and its loss says ` +
        'nothing about any other text.',
    );
  }
  return {
    content: content.digest(training),
    statistics,
    split: training === undefined ? planner.plan(bytes) : { validates: (document) => document >= training },
    characters: characters?.points(),
  };
}

/** The error for a corpus whose second reading differs from the first. */
export function corpusChanged(): MeanfieldError {
  return new MeanfieldError(
    'The text changed while it was being read. Start again when nothing writes to it any more.',
  );
}
