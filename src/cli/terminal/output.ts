import { figuresAsJson } from '../../base/json.js';
import { printable } from '../../base/printable.js';

/**
 * Where a command writes: results on standard output, all else on standard error. Names, reasons and texts of others
 * may be among it, so what a terminal would obey goes out as an escape; the codes that we mean are written here alone.
 */
export interface Output {
  /** Whether `--json` was given. */
  readonly json: boolean;
  /** Whether a person watches standard error, so that a line may be redrawn. */
  readonly live: boolean;
  /** Columns of the terminal behind standard error. */
  columns(): number;
  /**
   * One JSON line on standard output; nothing without `--json`.
   *
   * @throws MeanfieldError when a figure in it is not finite
   */
  event(event: object): void;
  /** Text on standard output for a person; nothing with `--json`. In a style on a terminal, unless `NO_COLOR` is set. */
  text(text: string, style?: Style): void;
  /** As `text`, but to the byte what it is where no terminal shows it: for what a model has written. */
  exact(text: string): void;
  /** As `text`; where a person watches, in place of all that the screen shows. */
  page(text: string): void;
  /** Text on standard error, with or without `--json`; in a style where a person watches and `NO_COLOR` is not set. */
  note(text: string, style?: Style): void;
  /** Puts a text in place of the last line on standard error, cut to the terminal's width; an empty one takes it away. */
  redraw(text: string): void;
}

/** How a line is set apart on a terminal: a success, a warning, what stands back. */
export type Style = 'good' | 'warning' | 'dim';

const CODES: Readonly<Record<Style, string>> = { good: '32', warning: '33', dim: '2' };

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
  const live = stderr.isTTY === true && process.env.TERM !== 'dumb';
  // A terminal that does not know its size says 0.
  const columns = () => stderr.columns || 80;
  return {
    json,
    live,
    columns,
    event: (event) => {
      if (json) stdout.write(`${figuresAsJson(event).replace(RAW_IN_JSON, escapeInJson)}\n`);
    },
    text: (text, style) => {
      if (!json) stdout.write(styled(text, stdout.isTTY === true ? style : undefined));
    },
    exact: (text) => {
      if (!json) stdout.write(stdout.isTTY ? printable(text) : text);
    },
    page: (text) => {
      if (!json) stdout.write(`${live ? '\x1b[H\x1b[J' : ''}${printable(text)}`);
    },
    note: (text, style) => {
      stderr.write(styled(text, live ? style : undefined));
    },
    redraw: (text) => {
      // A line as wide as the terminal would wrap, and the next redraw would leave half of it behind.
      stderr.write(`\r\x1b[K${printable(text).slice(0, Math.max(10, columns() - 1))}`);
    },
  };
}

/** A text as a terminal shows it, in a style where one is wanted. */
function styled(text: string, style: Style | undefined): string {
  const shown = printable(text);
  // https://no-color.org: any value but an empty one.
  if (style === undefined || process.env.TERM === 'dumb' || (process.env.NO_COLOR ?? '') !== '') return shown;
  return `\x1b[${CODES[style]}m${shown.replace(/\n$/, '')}\x1b[0m${shown.endsWith('\n') ? '\n' : ''}`;
}

/** What JSON leaves as it is, and terminals obey. */
const RAW_IN_JSON = /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

function escapeInJson(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
