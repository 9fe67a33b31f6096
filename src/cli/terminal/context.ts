import type { Output } from './output.js';

/** What `run-command-line.ts` gives to every command. */
export interface Context {
  readonly output: Output;
  /** Aborted when standard output was closed by its reader, as `meanfield train --json | head` does. */
  readonly closed: AbortSignal;
}

/** The work of a command: resolves to the exit code. */
export type CommandWork = (context: Context) => Promise<number>;

/** Exit code of a command that was interrupted and has saved its work. */
export const INTERRUPTED = 130;

/** Begins the work of a command that was understood. */
export type Start = (work: CommandWork) => Promise<void>;
