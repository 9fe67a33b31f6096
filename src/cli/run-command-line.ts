import { CommanderError } from 'commander';
import { INTERRUPTED } from './context.js';
import { createOutput } from './output.js';
import { createProgram } from './program.js';
import { reportError } from './report-error.js';

/**
 * Runs one command.
 *
 * @param args what follows the program's name
 * @returns the exit code: 0 done, 1 failed, 2 used wrongly, 130 interrupted after saving
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // Read from the arguments themselves because an argument that is wrong must be told in the right form, too.
  const output = createOutput(args.includes('--json'));
  const closed = closedOutput();
  let code = 0;
  const program = createProgram(async (work) => {
    code = await work({ output, closed });
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (closed.aborted) return INTERRUPTED;
    return reportError(error, output, args.includes('--debug'));
  }
}

/** Aborted when the reader of standard output goes away, which is no failure of ours. */
function closedOutput(): AbortSignal {
  const controller = new AbortController();
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    controller.abort();
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return controller.signal;
}
