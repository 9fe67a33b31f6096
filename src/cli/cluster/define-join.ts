import type { Command } from 'commander';
import { JOIN_OPTIONS, type JoinFlags } from '../../cluster/join-options.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield join`. */
export function defineJoin(program: Command, start: Start): void {
  const command = program
    .command('join')
    .summary('take part in a run that another machine coordinates')
    .description(
      'Take part in a run: fetch its configuration, its tokens and the committed parameters, train, contribute. ' +
        'Ctrl-C leaves; what was contributed counts.',
    )
    .argument('<invitation>', 'what meanfield cluster start printed; - reads it from standard input');
  addOptions(command, JOIN_OPTIONS).action((invitation: string, options: JoinFlags) =>
    start(async (context) => (await import('./join.js')).join(invitation, options, context)),
  );
  finish(command, [
    'meanfield join INVITATION',
    'meanfield join INVITATION --replicas 2 --threads 4',
    'meanfield join - < invitation.txt',
  ]);
}
