import type { LoadedModel } from '../hub/load-model.js';
import type { ExportDtype } from './formats.js';
import type { ResolvedExport } from './options.js';

/** A model whose parameters are read one by one. */
export interface ReadModel extends Pick<LoadedModel, 'model' | 'tokenizer' | 'tokenizerFiles' | 'generationConfig'> {
  /** A parameter's values, which are another's when the next is read. */
  read(name: string): Promise<Float32Array>;
}

/** What is exported. */
export interface ExportSource {
  /** As the user named it. */
  readonly model: string;
  /**
   * The model in memory; an adapter is joined with its base in single precision.
   *
   * @throws MeanfieldError when a file is missing or damaged
   */
  load(): Promise<LoadedModel>;
  /**
   * Opens the model for as long as some work with it takes: of its parameters one is in memory at a time, unless it is an
   * adapter, which is joined with its base as {@link load} does it. Errors as there.
   */
  open<T>(work: (model: ReadModel) => Promise<T>): Promise<T>;
  /** The folder of the adapter, where it is one. */
  readonly adapter: string | undefined;
}

/** What a writer is asked for. */
export interface ExportOrder {
  /** A folder that is there and empty, or the path of a file that is not there yet: another name than what becomes of it. */
  readonly place: string;
  readonly dtype: ExportDtype;
  readonly options: ResolvedExport;
  /** Ends the work; {@link told} throws its reason. */
  readonly signal: AbortSignal | undefined;
  /** Called with bytes of weights before they are written, of so many in all. */
  told(bytes: number, ofBytes: number): void;
  /** Tells the user something. */
  notice(message: string): void;
}

/**
 * Writes and syncs a model in one form.
 *
 * @returns of a folder, the sha256 of each file that lies in it, by name
 */
export type ExportWriter = (source: ExportSource, order: ExportOrder) => Promise<Readonly<Record<string, string>>>;
