import { Command, type CommanderError } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import { defineBench } from './commands/bench.js';
import { defineCluster } from './commands/cluster.js';
import { defineDevices } from './commands/devices.js';
import { defineEval } from './commands/eval.js';
import { defineGenerate } from './commands/generate.js';
import { defineInfo } from './commands/info.js';
import { defineJoin } from './commands/join.js';
import { defineLaunch } from './commands/launch.js';
import { defineLinpack } from './commands/linpack.js';
import { definePlan } from './commands/plan.js';
import { defineTrain } from './commands/train.js';
import { finish } from './common-options.js';
import type { Start } from './context.js';
import { usageError } from './usage.js';

/**
 * The command line: names, options and help. What a command does is imported when it runs, so that help comes at once.
 *
 * @param start begins a command that was understood
 */
export function createProgram(start: Start): Command {
  const program = new Command('meanfield')
    .description(packageFile.description)
    .version(packageFile.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false);
  finish(program, [
    'meanfield train book.txt --run runs/book',
    'meanfield generate runs/book --prompt "Once upon"',
    'meanfield train --help',
  ]);
  for (const define of [
    defineTrain,
    defineEval,
    defineGenerate,
    defineInfo,
    defineDevices,
    defineLinpack,
    definePlan,
    defineCluster,
    defineJoin,
    defineLaunch,
    defineBench,
  ]) {
    define(program, start);
  }
  for (const command of withSubcommands(program)) {
    command.configureOutput({ outputError: () => {}, writeErr: () => {} }).exitOverride((error: CommanderError) => {
      throw error.exitCode === 0 ? error : usageError(command, error);
    });
  }
  return program;
}

/** A command, its subcommands, and theirs. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
