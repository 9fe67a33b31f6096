/**
 * A failure that the user can understand and act on. The command line prints its message alone, without a stack
 * trace, and exits with 1. Say what was expected, what came, what is allowed and what to do next.
 *
 * Programming mistakes (a broken invariant of our own) throw a plain `Error` instead.
 *
 * @category Errors
 */
export class MeanfieldError extends Error {
  override name = 'MeanfieldError';
  /** What the process exits with when this reaches the command line. */
  readonly exitCode: number = 1;
}

/**
 * The command line, an option or a configuration key was used wrongly: exit code 2.
 *
 * @category Errors
 */
export class UsageError extends MeanfieldError {
  override name = 'UsageError';
  override readonly exitCode = 2;
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
