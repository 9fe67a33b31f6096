import { type Command, Option } from 'commander';
import type { OptionsOf } from '../../base/option-table.js';
import { COMMAND_LINE } from '../../base/spelling.js';
import { CLUSTER_GROUPS } from '../../cluster/option-table.js';
import { SERVER_OPTIONS } from '../../cluster/server/options.js';
import { addGroups, addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import type { ClusterFlags } from './cluster-start.js';
import { AUDIT_FLAGS, EVICT_FLAGS, INVITE_FLAGS, WATCH_FLAGS } from './order-options.js';

/** `meanfield cluster`. */
export function defineCluster(program: Command, start: Start): void {
  const cluster = program
    .command('cluster')
    .summary('train one model on many machines')
    .description('Coordinate a run that other machines take part in, and look after it.')
    .helpCommand(false);
  defineStart(cluster, start);
  const run = (command: Command) => command.argument('<run>', 'folder of the run, on the machine that coordinates it');
  run(cluster.command('status').summary('tell who takes part, how fast, and what is waited for'))
    .description('Tell who takes part in a run, how fast they are, what was refused, and what is waited for.')
    .action((folder: string) =>
      start(async (context) => (await import('./cluster-status.js')).showStatus(folder, context)),
    );
  const watch = run(cluster.command('watch').summary('show the status, live')).description(
    'Show the status of a run as a table that is redrawn, until the run ends or Ctrl-C.',
  );
  addOptions(watch, WATCH_FLAGS).action(
    (folder: string, { every = WATCH_FLAGS.every.default }: OptionsOf<typeof WATCH_FLAGS>) =>
      start(async (context) => (await import('./cluster-status.js')).watchStatus(folder, every * 1000, context)),
  );
  run(cluster.command('stop').summary('end a run after the round in progress'))
    .description('End a run after the round in progress; it is saved, and can be resumed.')
    .action((folder: string) =>
      start(async (context) => (await import('./cluster-orders.js')).stopCluster(folder, context)),
    );
  const evict = run(cluster.command('evict').summary('throw a worker out'))
    .description('Throw a worker out at once, for good. What it has contributed to committed rounds stays.')
    .argument('<worker>', 'name, as cluster status shows it');
  addOptions(evict, EVICT_FLAGS).action(
    (folder: string, worker: string, { reason = EVICT_FLAGS.reason.default }: OptionsOf<typeof EVICT_FLAGS>) =>
      start(async (context) => (await import('./cluster-orders.js')).evictWorker(folder, worker, reason, context)),
  );
  for (const [word, decision, what] of [
    ['approve', 'approved', 'let in a machine that waits for approval'],
    ['refuse', 'refused', 'turn away a machine that waits for approval'],
  ] as const)
    run(cluster.command(word).summary(what))
      .description(
        `${what[0]!.toUpperCase()}${what.slice(1)}: it came by an invitation that was made with --approve. Compare the ` +
          'id with what its owner sees there.',
      )
      .argument('<id>', 'as cluster status shows it')
      .action((folder: string, id: string) =>
        start(async (context) => (await import('./cluster-orders.js')).decide(folder, id, decision, context)),
      );
  const invite = run(cluster.command('invite').summary('make an invitation to a run, or withdraw one')).description(
    'Make another invitation to a run, withdraw one or all, or list those that are good. Who is in already stays: ' +
      'see cluster evict.',
  );
  addOptions(invite, INVITE_FLAGS).action((folder: string, flags: OptionsOf<typeof INVITE_FLAGS>) =>
    start(async (context) => (await import('./cluster-orders.js')).invite(folder, flags, context)),
  );
  const audit = run(cluster.command('audit').summary('try the contribution of one worker'))
    .description(
      "Apply a worker's contribution to the round in progress, or else to the last one, alone to what the round began " +
        'from, and tell its loss on text that no worker trains on. The run goes on meanwhile.',
    )
    .argument('<worker>', 'name, as cluster status shows it');
  addOptions(audit, AUDIT_FLAGS).action(
    (folder: string, worker: string, { windows = AUDIT_FLAGS.windows.default }: OptionsOf<typeof AUDIT_FLAGS>) =>
      start(async (context) => (await import('./cluster-audit.js')).auditWorker(folder, worker, windows, context)),
  );
  const examples: Readonly<Record<string, readonly string[]>> = {
    start: [
      'meanfield cluster start book.txt --run runs/book',
      'meanfield cluster start corpus/ --run runs/c --sync-every 100 --format int8 --min-workers 4',
      'meanfield cluster start book.txt --run runs/book --nats nats://user:secret@host:4222 --shared-credential',
      'meanfield cluster start --run runs/book --resume',
    ],
    status: ['meanfield cluster status runs/book', 'meanfield cluster status runs/book --json'],
    watch: ['meanfield cluster watch runs/book'],
    invite: [
      'meanfield cluster invite runs/book --once',
      'meanfield cluster invite runs/book --approve',
      'meanfield cluster invite runs/book --list',
      'meanfield cluster invite runs/book --revoke all',
    ],
    approve: ['meanfield cluster approve runs/book 3f9a0c21b7de'],
    refuse: ['meanfield cluster refuse runs/book 3f9a0c21b7de'],
    stop: ['meanfield cluster stop runs/book'],
    audit: ['meanfield cluster audit runs/book box-2', 'meanfield cluster audit runs/book box-2 --windows 128 --json'],
    evict: ['meanfield cluster evict runs/book box-2 --reason "too slow"'],
  };
  for (const command of cluster.commands) finish(command, examples[command.name()]!);
  finish(cluster, ['meanfield cluster start book.txt --run runs/book', 'meanfield cluster watch runs/book']);
}

function defineStart(cluster: Command, start: Start): void {
  const command = cluster
    .command('start')
    .summary('coordinate a run, and print the invitation to it')
    .description(
      'Coordinate a run that other machines join with the invitation that this prints. Without --nats it starts the ' +
        'nats-server found on the PATH, with its data in the folder of the run.',
    )
    .argument('[file|folder...]', 'what to learn from; may be left out with --resume')
    .usage('[options] <file|folder...>');
  addGroups(command, { ...CLUSTER_GROUPS, Server: SERVER_OPTIONS })
    .optionsGroup('Output:')
    // Of one machine alone: taken so that it can be said why.
    .addOption(new Option(`${COMMAND_LINE.option('teacher')} <model>`).hideHelp())
    .action((corpus: string[], options: ClusterFlags) =>
      start(async (context) => (await import('./cluster-start.js')).startCluster(corpus, options, context)),
    );
}
