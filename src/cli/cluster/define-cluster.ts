import { type Command, InvalidArgumentError, Option } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { count, notNegative, number, positive, whole } from '../terminal/values.js';
import { addOuterOptions, addTrainOptions } from '../train/train-options.js';
import type { InviteFlags } from './cluster-orders.js';
import type { ClusterFlags } from './cluster-server.js';

// As `parseClusterOptions` takes them; importing them from there would load the engine for a line of help.
const FORMATS = ['fp32', 'bf16', 'int8', 'int4'];
const MERGES = ['mean', 'trimmed', 'median'];

/** `meanfield cluster`. Bounds that this file leaves out are checked by `parseClusterOptions`. */
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
  run(cluster.command('watch').summary('show the status, live'))
    .description('Show the status of a run as a table that is redrawn, until the run ends or Ctrl-C.')
    .option('--every <seconds>', 'seconds between looks', positive, 1)
    .action((folder: string, options: { readonly every: number }) =>
      start(async (context) =>
        (await import('./cluster-status.js')).watchStatus(folder, options.every * 1000, context),
      ),
    );
  run(cluster.command('stop').summary('end a run after the round in progress'))
    .description('End a run after the round in progress; it is saved, and can be resumed.')
    .action((folder: string) =>
      start(async (context) => (await import('./cluster-orders.js')).stopCluster(folder, context)),
    );
  run(cluster.command('evict').summary('throw a worker out'))
    .description('Throw a worker out at once, for good. What it has contributed to committed rounds stays.')
    .argument('<worker>', 'name, as cluster status shows it')
    .option('--reason <text>', 'what it is told', 'evicted by the operator')
    .action((folder: string, worker: string, options: { readonly reason: string }) =>
      start(async (context) =>
        (await import('./cluster-orders.js')).evictWorker(folder, worker, options.reason, context),
      ),
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
  run(cluster.command('invite').summary('make an invitation to a run, or withdraw one'))
    .description(
      'Make another invitation to a run, withdraw one or all, or list those that are good. Who is in already stays: ' +
        'see cluster evict.',
    )
    .option('--invite-hours <n>', 'for which it is good', positive, 7 * 24)
    .option('--once', 'for one machine alone')
    .option('--approve', 'who comes by it waits for meanfield cluster approve')
    .option('--revoke <id>', 'withdraw the one of this id, or all')
    .option('--list', 'tell which are good')
    .action((folder: string, options: InviteFlags) =>
      start(async (context) => (await import('./cluster-orders.js')).invite(folder, options, context)),
    );
  run(cluster.command('audit').summary('try the contribution of one worker'))
    .description(
      "Apply a worker's contribution to the round in progress, or else to the last one, alone to what the round began " +
        'from, and tell its loss on text that no worker trains on. The run goes on meanwhile.',
    )
    .argument('<worker>', 'name, as cluster status shows it')
    .option('--windows <n>', 'windows of the validation part, evenly spaced, at most', count, 32)
    .action((folder: string, worker: string, options: { readonly windows: number }) =>
      start(async (context) =>
        (await import('./cluster-audit.js')).auditWorker(folder, worker, options.windows, context),
      ),
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
  addOuterOptions(addTrainOptions(command).optionsGroup('Averaging:'))
    .addOption(new Option('--format <name>', 'how contributions travel (default: fp32)').choices(FORMATS))
    .option('--moments-format <name>', 'how averaged moments travel: fp32 or bf16 (default: bf16)')
    .addOption(new Option('--merge <name>', 'how contributions become one (default: mean)').choices(MERGES))
    .option('--fragments <p>', 'parts of the model exchanged in turn while training goes on (default: 1)', count)
    .option('--overlap <n>', 'with fragments: steps until a result is mixed in (default: 1)', whole)
    .option('--mixing <x>', 'with fragments: share of its own that a worker keeps (default: 0.5)', number)
    .optionsGroup('Machines:')
    .option('--min-workers <n>', 'no round opens with fewer (default: 1)', count)
    .option('--quorum <x>', 'share that must contribute before the others have but the grace (default: 0.5)', number)
    .option('--grace <seconds>', 'how long the others are waited for (default: 10)', notNegative)
    .option('--round-timeout <seconds>', 'then a round is committed or aborted (default: 600)', positive)
    .option('--heartbeat-timeout <seconds>', 'silence after which a worker is dead (default: 10)', positive)
    .option('--no-adaptive-steps', 'the same inner steps for all, whatever their speed')
    .option('--double-sums', 'two workers sum each shard, and are compared')
    .option('--outlier-factor <x>', 'refuse a norm so many times the median (default: 10)', positive)
    .option('--data <send|path:folder|URL>', 'how workers come by the tokens (default: send)', dataSource)
    .option('--threads <n>', "the coordinator's own threads (default: the cores)", count)
    .optionsGroup('Server:')
    .option('--nats <url>', 'a NATS server that runs; may be given again for a cluster', collect)
    .option('--nats-creds <file>', 'credential for it: a .creds file')
    .option('--nats-nkey <file>', 'credential for it: the seed of an nkey')
    .option('--nats-signing-key <file>', "its account's signing key: each worker gets a JWT of its own")
    .option('--shared-credential', 'every worker may use our own credential')
    .addOption(new Option('--nats-replicas <n>', 'servers that keep each message (default: 1)').choices(['1', '3']))
    .option(
      '--port <n>',
      'of the server that is started, 0: a free one (default: 4222, or a free one where that is taken)',
      port,
    )
    .option('--host <name>', 'by which others reach this machine, 127.0.0.1: none do; may be given again', collect)
    .option('--invite-hours <n>', 'for which the invitation is good', positive, 7 * 24)
    .option('--approve', 'who comes by the invitation waits for meanfield cluster approve')
    .option('--no-approve', 'nobody need wait; to --resume with what was started by --approve')
    .option('--metrics-port <n>', 'serve metrics for Prometheus there', port)
    .optionsGroup('Output:')
    .action((corpus: string[], options: ClusterFlags) =>
      start(async (context) => (await import('./cluster-start.js')).startCluster(corpus, options, context)),
    );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function port(text: string): number {
  const value = whole(text);
  if (value > 65_535) throw new InvalidArgumentError('Expected a port, 0 to 65535.');
  return value;
}

function dataSource(text: string): ClusterFlags['data'] {
  if (text === 'send') return 'send';
  if (text.startsWith('path:') && text.length > 5) return { path: text.slice(5) };
  if (/^https?:\/\//.test(text)) return { http: text };
  throw new InvalidArgumentError('Expected send, path: and a folder that all machines see, or http(s)://...');
}
