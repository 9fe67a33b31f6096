import { MeanfieldError, messageOf } from '../../base/errors.js';
import { COMMAND_LINE, messageIn } from '../../base/spelling.js';
import { asSystemError } from '../../base/system-errors.js';
import type { Output } from './output.js';

const LINES = 10;

/**
 * Tells an error: at most ten lines on standard error without a stack trace, and one JSON line with `--json`.
 *
 * @param debug print the stack trace as well
 * @returns the exit code
 */
export function reportError(thrown: unknown, output: Output, debug: boolean): number {
  const error = asSystemError(thrown);
  const known = error instanceof MeanfieldError;
  const message = known ? messageIn(COMMAND_LINE, error) : `Unexpected: ${messageOf(error)}`;
  output.event({ type: 'error', message });
  if (debug) {
    output.note(`error: ${error instanceof Error ? withCauses(error) : message}\n`);
  } else {
    const lines = message.split('\n').filter((line) => line.trim() !== '');
    if (!known) lines.push('This is a fault of Meanfield, not yours. --debug shows where it happened.');
    const shown = lines.length > LINES ? [...lines.slice(0, LINES - 1), '... (--debug shows all)'] : lines;
    output.note(`error: ${shown.join('\n')}\n`);
  }
  return known ? error.exitCode : 1;
}

function withCauses(error: Error): string {
  const parts = [error.stack ?? error.message];
  for (let cause = error.cause; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    parts.push(`caused by: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
  }
  return parts.join('\n');
}
