import { Command, type CommanderError } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import { defineCluster } from './cluster/define-cluster.js';
import { defineJoin } from './cluster/define-join.js';
import { defineData } from './data/define-data.js';
import { defineHub } from './hub/define-hub.js';
import { defineLaunch } from './launch/define-launch.js';
import { defineBench } from './machine/define-bench.js';
import { defineDevices } from './machine/define-devices.js';
import { defineLinpack } from './machine/define-linpack.js';
import { defineEmbed } from './model/define-embed.js';
import { defineEval } from './model/define-eval.js';
import { defineExport } from './model/define-export.js';
import { defineGenerate } from './model/define-generate.js';
import { defineInfo } from './model/define-info.js';
import { definePlan } from './plan/define-plan.js';
import { defineScale } from './scale/define-scale.js';
import { defineServe } from './serve/define-serve.js';
import { finish } from './terminal/common-options.js';
import type { Start } from './terminal/context.js';
import { usageError } from './terminal/usage.js';
import { defineTrain } from './train/define-train.js';

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
    defineEmbed,
    defineServe,
    defineExport,
    defineInfo,
    defineHub,
    defineData,
    defineDevices,
    defineLinpack,
    definePlan,
    defineScale,
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
