import type { LoadedModel } from '../hub/load-model.js';
import type { ExportDtype } from './formats.js';
import type { ResolvedExport } from './options.js';

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
