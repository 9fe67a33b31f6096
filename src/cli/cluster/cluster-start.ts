import { UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import {
  type ClusterOptions,
  type ClusterResult,
  type Connection,
  parseClusterOptions,
  type RunNeeds,
  startCoordinator,
} from '../../cluster/index.js';
import { CLUSTER_OPTIONS } from '../../cluster/option-table.js';
import { createClusterMetrics, type MetricsServer, serveMetrics } from '../../cluster/prometheus/index.js';
import { TRAIN_OPTIONS } from '../../run/option-table.js';
import type { TrainOptions } from '../../run/options.js';
import { knownFaults } from '../../transport/nats/known-faults.js';
import { type NatsTransport, openNatsTransport } from '../../transport/nats/transport.js';
import type { OrderDesk } from '../../transport/orders.js';
import type { Transport } from '../../transport/transport.js';
import type { RunServer } from '../../transport/trust/run-server.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { duration, grouped, loss, shellQuote, short } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { ClusterProgress } from './cluster-progress.js';
import { checkServerFlags, openServer, requirePort } from './cluster-server.js';
import { SERVER_OPTIONS, type ServerFlags } from './server-options.js';

/** What commander makes of the options of `cluster start`. */
export type ClusterFlags = OptionsOf<typeof TRAIN_OPTIONS> & ClusterOptions & ServerFlags;

/** Coordinates a run, telling its events; Ctrl-C finishes the round and saves. */
export async function startCluster(corpus: readonly string[], flags: ClusterFlags, context: Context): Promise<number> {
  const { output, closed } = context;
  const { train, cluster, server } = splitFlags(corpus, flags);
  if (corpus.length === 0 && train.resume !== true) {
    throw new UsageError(
      'Missing argument: name a text file or a folder to learn from. See meanfield cluster start --help.',
    );
  }
  parseClusterOptions(cluster);
  await checkServerFlags(server);
  const progress = new ClusterProgress(output);
  const opened: Opened = {};
  // First, since a port that is taken must not leave a run behind.
  if (train.resume !== true) await requirePort(server);
  const metrics = createClusterMetrics(() => coordinator?.status());
  if (flags.metricsPort !== undefined) {
    opened.metrics = await serveMetrics(metrics, flags.metricsPort);
    opened.observe = (event) => metrics.observe(event);
    progress.note(`metrics: ${opened.metrics.url}`);
  }
  const notice = (message: string) => {
    const event = { type: 'notice', message } as const;
    output.event(event);
    progress.show(event);
  };
  const coordinator = startCoordinator({ train, cluster, connect: (run) => connect(run, server, opened, notice) });
  const interruption = onInterrupt(output, 'stopping: finishing the round, then saving', () => coordinator.stop());
  closed.addEventListener('abort', () => coordinator.stop());
  let finished = false;
  try {
    for await (const event of coordinator) {
      opened.observe?.(event);
      output.event(event);
      progress.show(event);
      if (event.type === 'leading' && opened.server) invite(opened.server, context, progress);
    }
    const result = await coordinator.result;
    finished = !result.interrupted;
    progress.end();
    output.event(result);
    output.text(summary(result));
    return result.interrupted ? INTERRUPTED : 0;
  } finally {
    progress.end();
    interruption.release();
    // Where it was not its end that brought us here, it must not go on unwatched.
    coordinator.stop();
    await coordinator.result.catch(() => {});
    await opened.metrics?.close();
    await opened.transport?.close();
    await opened.server?.stop(finished);
  }
}

/** What was opened and is to be closed. */
interface Opened {
  server?: RunServer;
  transport?: Transport;
  metrics?: MetricsServer;
  observe?: ReturnType<typeof createClusterMetrics>['observe'];
}

async function connect(
  run: RunNeeds,
  flags: ServerFlags,
  opened: Opened,
  notice: (message: string) => void,
): Promise<Connection> {
  const server = await openServer(run, flags, notice);
  let transport: NatsTransport;
  try {
    transport = await openNatsTransport({
      ...server.address,
      run: run.id,
      name: 'coordinator',
      inbox: server.inbox,
      create: { replicas: flags.natsReplicas === '3' ? 3 : 1, maxBytes: run.bytes },
    });
  } catch (error) {
    // Before the folder is taken away under it, where the run is a new one.
    await server.stop(true).catch(() => {});
    throw error;
  }
  opened.server = server;
  opened.transport = transport;
  const faults = knownFaults(transport.serverVersion, flags.nats ? undefined : false);
  if (faults !== undefined) notice(faults);
  const abandon = async () => {
    delete opened.server;
    await server.stop(true).catch(() => {});
  };
  const serve = (desk: OrderDesk) => server.serve(transport, desk);
  return { transport, gate: server.gate, key: server.key, serve, abandon };
}

/** Sorts the flags by whose options they are: commander has them in one. */
export function splitFlags(
  corpus: readonly string[],
  flags: ClusterFlags,
): { readonly train: TrainOptions; readonly cluster: ClusterOptions; readonly server: ServerFlags } {
  return {
    train: { ...pickOptions(TRAIN_OPTIONS, flags), corpus },
    cluster: pickOptions(CLUSTER_OPTIONS, flags),
    server: pickOptions(SERVER_OPTIONS, flags),
  };
}

function invite({ invitation, notice }: RunServer, { output }: Context, progress: ClusterProgress): void {
  output.event({ type: 'invitation', invitation });
  progress.end();
  if (notice !== undefined) progress.note(`note: ${notice}`);
  output.text(`On every other machine:\n\n  meanfield join ${invitation}\n\n`);
}

/** How a run ended, and what can be done next. */
export function summary(result: ClusterResult): string {
  const run = shellQuote(result.run);
  const head = result.interrupted ? `Interrupted at step ${grouped(result.step)}; saved.` : 'Done.';
  const lines = [
    '',
    `${head} ${grouped(result.rounds)} rounds, ${grouped(result.step)} steps, ${short(result.tokens)} tokens in ` +
      `${duration(result.seconds)} (${short(result.tokens_per_second)} tokens/s).`,
    `Validation loss ${loss(result.val_loss)}, best ${loss(result.best_val_loss)}. The best model: ${result.run}/model`,
    '',
    'Next:',
    result.interrupted ? `  meanfield cluster start --run ${run} --resume` : `  meanfield info ${run}`,
  ];
  return `${lines.join('\n')}\n`;
}
