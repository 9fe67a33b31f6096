import type { FoundFiles } from '../corpus/find-files.js';
import { type Documents, readDocuments } from '../corpus/read-documents.js';
import type { CorpusOptions, CorpusStatistics, DocumentPiece } from '../corpus/types.js';

/** The files of a corpus, and those that validate where these are files of their own. */
export interface CorpusFiles {
  readonly found: FoundFiles;
  readonly heldOut?: FoundFiles | undefined;
}

/** The documents of a corpus, and behind them those that validate where these have files of their own. */
export interface CorpusDocuments extends Documents {
  /** How many of those read so far are not held out; undefined where no files are. */
  readonly training: number | undefined;
}

/** Reads a corpus; can be iterated once. */
export function corpusDocuments(options: CorpusOptions, { found, heldOut }: CorpusFiles): CorpusDocuments {
  const parts = [readDocuments(options, found), ...(heldOut ? [readDocuments(options, heldOut)] : [])];
  return {
    get statistics() {
      return parts.map(({ statistics }) => statistics).reduce(together);
    },
    get training() {
      return heldOut && parts[0]!.statistics.documents;
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<DocumentPiece> {
      for (const part of parts) yield* part;
    },
  };
}

function together(a: CorpusStatistics, b: CorpusStatistics): CorpusStatistics {
  const sums = Object.entries(a).map(([name, value]) => {
    const other = b[name as keyof CorpusStatistics];
    return [name, typeof value === 'number' ? value + (other as number) : [...value, ...(other as typeof value)]];
  });
  return Object.fromEntries(sums) as CorpusStatistics;
}
