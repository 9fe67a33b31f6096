import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { count, positive } from '../terminal/values.js';
import { addDeviceOptions } from '../train/train-options.js';
import type { JoinOptions } from './join.js';

/** By which the owner of a machine says what a run may ask of it. */
export function addLimitOptions(command: Command): Command {
  return command
    .option(
      '--data-folder <folder>',
      "from which the run's data may be read (default: none); may be given again",
      collect,
    )
    .option('--data-host <host>', "from which it may be fetched, beside the invitation's; may be given again", collect)
    .option('--max-data <GB>', 'tokens that the run may send here (default: 20)', positive)
    .option('--max-memory <GB>', 'memory that the run may take (default: what is free)', positive);
}

/** `meanfield join`. */
export function defineJoin(program: Command, start: Start): void {
  const command = program
    .command('join')
    .summary('take part in a run that another machine coordinates')
    .description(
      'Take part in a run: fetch its configuration, its tokens and the committed parameters, train, contribute. ' +
        'Ctrl-C leaves; what was contributed counts.',
    )
    .argument('<invitation>', 'what meanfield cluster start printed; - reads it from standard input')
    .option('--replicas <n>', 'copies of the model that train side by side (default: 1)', count);
  addLimitOptions(
    addDeviceOptions(command, 'threads of each replica (default: the cores shared between them)')
      .option('--name <text>', "what this machine is called in the status (default: the host's name)")
      .option('--cache <folder>', "where tokens are kept for the next time (default: in the user's cache)")
      .option('--patience <seconds>', 'how long to knock when no coordinator answers (default: 60)', positive)
      .option('--approval-patience <seconds>', "how long to wait for the owner's approval (default: 3600)", positive),
  ).action((invitation: string, options: JoinOptions) =>
    start(async (context) => (await import('./join.js')).join(invitation, options, context)),
  );
  finish(command, [
    'meanfield join INVITATION',
    'meanfield join INVITATION --replicas 2 --threads 4',
    'meanfield join - < invitation.txt',
  ]);
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
