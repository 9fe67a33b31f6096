/** A piece of a document. A large document comes in several; together they are its bytes, unchanged. */
export interface DocumentPiece {
  bytes: Uint8Array;
  /** The file, with the line or row where a file has many documents. */
  source: string;
  /** True for the last piece of a document. */
  end: boolean;
}

/** What was read; complete when the iteration is. */
export interface CorpusStatistics {
  files: number;
  /** Documents that are not empty: a text file, or a row of JSON or Parquet. */
  documents: number;
  /** The bytes of the documents' text. */
  bytes: number;
  /** Files and rows without any text. */
  empty: number;
  /** Files in folders that were left out because they are not text. */
  skippedBinary: number;
  /** The first hundred of them, and why. */
  skippedBinaryFiles: { path: string; reason: string }[];
  /** Files in folders that were left out because of their extension, or because they are JSON but no table. */
  skippedOther: number;
  /** Files in folders that were left out because they are links to files outside of the folder. */
  skippedLinks: number;
  /** The names of the first three of them. */
  skippedLinkFiles: string[];
  /** Folders of runs that were left out. */
  skippedRuns: string[];
  /** What else the user should hear, in sentences: of files that are read otherwise than their names say, and so on. */
  remarks: string[];
}

/** What to read. */
export interface CorpusOptions {
  /** Files and folders, in this order; a folder is read recursively, sorted by name. */
  paths: readonly string[];
  /** The field of a row of JSON, or the column of a Parquet file, that holds the text: `text` unless given. */
  field?: string | undefined;
  /** Which files of a folder are read, by how their names end (before `.gz`); text-extensions.json unless given. */
  extensions?: readonly string[] | undefined;
  /** Files and folders within those that are none of the corpus. */
  except?: readonly string[] | undefined;
  /** Ends the reading with an AbortError. */
  signal?: AbortSignal | undefined;
}

/** A row of a table: a value of JSON, and what to call it in errors. */
export interface TableRow {
  readonly row: unknown;
  /** The file, with the line or the row's number. */
  readonly source: string;
}
