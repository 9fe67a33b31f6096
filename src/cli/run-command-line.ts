import { CommanderError } from 'commander';
import { asSystemError } from '../base/system-errors.js';
import { createProgram } from './program.js';
import { INTERRUPTED } from './terminal/context.js';
import { createOutput, type Output } from './terminal/output.js';
import { reportError } from './terminal/report-error.js';

/**
 * Runs one command.
 *
 * @param args what follows the program's name
 * @returns the exit code: 0 done, 1 failed, 2 used wrongly, 130 interrupted after saving
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // Read from the arguments themselves because an argument that is wrong must be told in the right form, too.
  const output = createOutput(args.includes('--json'));
  const debug = args.includes('--debug');
  const watched = watchOutput();
  const code = await runCommand(args, output, watched.signal, debug);
  const fault = await watched.settled();
  return fault === undefined ? code : reportError(fault, output, debug);
}

async function runCommand(
  args: readonly string[],
  output: Output,
  closed: AbortSignal,
  debug: boolean,
): Promise<number> {
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
    return reportError(error, output, debug);
  }
}

const OUTPUT_ADVICE =
  'Look at where it is redirected, and give the command again. A run that was training has saved, and goes on with --resume';

/** Standard output as the commands see it. */
interface WatchedOutput {
  /** Aborted when nothing more can be written there. */
  readonly signal: AbortSignal;
  /** Resolves when all is written, to why it could not be; to nothing where the reader went away, as `head` does. */
  settled(): Promise<unknown>;
}

function watchOutput(): WatchedOutput {
  const controller = new AbortController();
  let fault: unknown;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // What is written to a stream that has failed only says so again.
    if (!controller.signal.aborted && error.code !== 'EPIPE') {
      fault = asSystemError(error, 'write to standard output', OUTPUT_ADVICE);
    }
    controller.abort();
  });
  // Where standard error is gone there is nobody to tell, and no reason to end the work.
  process.stderr.on('error', () => {});
  return {
    signal: controller.signal,
    settled: async () => {
      if (!controller.signal.aborted) await new Promise((resolve) => process.stdout.write('', resolve));
      // A stream's callback comes before its error event.
      await new Promise(setImmediate);
      return fault;
    },
  };
}
