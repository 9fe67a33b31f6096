/** Where a command writes: results on standard output, all else on standard error. */
export interface Output {
  /** Whether `--json` was given. */
  readonly json: boolean;
  /** Whether a person watches standard error, so that a line may be redrawn. */
  readonly live: boolean;
  /** Columns of the terminal behind standard error. */
  columns(): number;
  /** One JSON line on standard output; nothing without `--json`. */
  event(event: object): void;
  /** Text on standard output for a person; nothing with `--json`. */
  text(text: string): void;
  /** Text on standard error, with or without `--json`. */
  note(text: string): void;
}

/** The part of a stream that {@link createOutput} needs. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** @param streams other sinks than the process's own, for tests */
export function createOutput(
  json: boolean,
  streams: { readonly stdout: Sink; readonly stderr: Sink } = process,
): Output {
  const { stdout, stderr } = streams;
  return {
    json,
    live: stderr.isTTY === true && process.env.TERM !== 'dumb',
    // A terminal that does not know its size says 0.
    columns: () => stderr.columns || 80,
    event: (event) => {
      if (json) stdout.write(`${JSON.stringify(event)}\n`);
    },
    text: (text) => {
      if (!json) stdout.write(text);
    },
    note: (text) => {
      stderr.write(text);
    },
  };
}
