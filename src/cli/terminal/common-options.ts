import type { Command } from 'commander';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: true;
  readonly debug?: true;
}

/** Adds {@link CommonOptions} and examples, which end the help. */
export function finish(command: Command, examples: readonly string[]): Command {
  return command
    .option('--json', 'JSON lines on standard output, the last one the result')
    .option('--debug', 'show the stack trace of an error')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ ${example}\n`).join('')}`);
}
