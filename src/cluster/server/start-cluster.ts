import { UsageError } from '../../base/errors.js';
import { EventQueue } from '../../base/event-queue.js';
import { optionIssues } from '../../base/option-issues.js';
import { schemaOf } from '../../base/option-schema.js';
import { spelledError } from '../../base/spelling.js';
import { toldWork } from '../../base/told-work.js';
import { checkSignal, type TrainOptions } from '../../run/options.js';
import { knownFaults } from '../../transport/nats/known-faults.js';
import { type NatsTransport, openNatsTransport } from '../../transport/nats/transport.js';
import type { OrderDesk } from '../../transport/orders.js';
import type { Transport } from '../../transport/transport.js';
import type { RunServer } from '../../transport/trust/run-server.js';
import { startCoordinator } from '../coordinator/start.js';
import type { ClusterResult, CoordinatorEvent } from '../events.js';
import { CLUSTER_OPTIONS } from '../option-table.js';
import { type ClusterOptions, parseClusterOptions } from '../options.js';
import type { ClusterStatus } from '../status.js';
import type { Connection, CoordinatorRun, RunNeeds } from '../types.js';
import { checkServerOptions, openServer, requirePort } from './open-server.js';
import { SERVER_OPTIONS, type ServerOptions } from './options.js';

/**
 * Everything that a run between machines takes: what `train` takes, but for what only replicas on threads can have; how
 * machines exchange their work; and the server by which they do.
 */
export interface StartClusterOptions
  extends Omit<TrainOptions, 'replicas' | 'device' | 'moments'>,
    ClusterOptions,
    Omit<ServerOptions, 'metricsPort'> {
  /** What becomes of AdamW's moments at a round's end. Default `keep`: averaging them takes three times the bytes. */
  moments?: TrainOptions['moments'];
}

/** The line by which other machines take part. */
export interface InvitationEvent {
  readonly type: 'invitation';
  /** A secret: who has it may join. */
  readonly invitation: string;
  /** What the user must know about who is trusted with what. */
  readonly notice?: string;
}

/** What a coordinator tells, and the invitation as soon as it leads. */
export type ClusterEvent = CoordinatorEvent | InvitationEvent;

/**
 * A run between machines. Its events can be read once, with `for await`; reading them is not needed. Leaving the loop
 * early, as by `break`, is {@link stop}, and so is the end of `await using`, which waits for the run's end.
 */
export interface ClusterRun extends AsyncIterable<ClusterEvent>, AsyncDisposable {
  /** Fulfilled at the end, rejected with a MeanfieldError when the run cannot go on. */
  readonly result: Promise<ClusterResult>;
  /** Ends the run after the round in progress and saves; the result says `interrupted`. */
  stop(): void;
  /** Bans a worker at once. */
  evict(worker: string, reason: string): void;
  /** Undefined before it leads. */
  status(): ClusterStatus | undefined;
}

/** What was opened and is to be closed. */
interface Opened {
  server?: RunServer;
  transport?: Transport;
}

/**
 * Coordinates a run between machines: starts a NATS server for it, or uses one that runs, prepares its folder as `train`
 * does, leads its rounds, and saves what they commit. At the end all that was started is ended.
 *
 * @throws (through `result` and the iteration) UsageError for wrong options; MeanfieldError when the text cannot be used,
 * the folder or the port is in use, the server fails for good, training diverges, or the disk is full
 *
 * @example
 * import { join, startCluster } from 'meanfield/cluster';
 *
 * const run = startCluster({ corpus: ['book.txt'], run: 'runs/many', minWorkers: 1, host: ['127.0.0.1'] });
 * for await (const event of run) if (event.type === 'invitation') join(event.invitation, { threads: 1 });
 * console.log((await run.result).bestValLoss);
 */
export function startCluster(options: StartClusterOptions): ClusterRun {
  const events = new EventQueue<ClusterEvent>();
  const opened: Opened = {};
  let coordinator: CoordinatorRun | undefined;
  let stopped = false;
  const stop = () => {
    stopped = true;
    coordinator?.stop();
  };
  const notice = (message: string) => events.push({ type: 'notice', message });
  const work = async (): Promise<ClusterResult> => {
    checkSignal(options);
    const { train, cluster, server } = sorted(options);
    parseClusterOptions(cluster);
    await checkServerOptions(server);
    // First, since a port that is taken must not leave a run behind.
    if (train.resume !== true) await requirePort(server);
    coordinator = startCoordinator({ train, cluster, connect: (run) => connect(run, server, opened, notice) });
    if (stopped) coordinator.stop();
    let finished = false;
    try {
      for await (const event of coordinator) {
        events.push(event);
        if (event.type === 'leading' && opened.server) events.push(invitationOf(opened.server));
      }
      const result = await coordinator.result;
      finished = !result.interrupted;
      return result;
    } finally {
      // Where it was not its end that brought us here, it must not go on unwatched.
      coordinator.stop();
      await coordinator.result.catch(() => {});
      await opened.transport?.close();
      await opened.server?.stop(finished);
    }
  };
  if (options.signal?.aborted) stop();
  options.signal?.addEventListener?.('abort', stop);
  const ended = work().finally(() => options.signal?.removeEventListener?.('abort', stop));
  return {
    ...toldWork(ended, events, stop),
    stop,
    evict: (worker, reason) => coordinator?.evict(worker, reason),
    status: () => coordinator?.status(),
  };
}

/** Sorts options by whose they are; unknown ones are for training to refuse. */
function sorted(options: StartClusterOptions) {
  const entries = Object.entries(options);
  const of = (table: object) => Object.fromEntries(entries.filter(([name]) => Object.hasOwn(table, name)));
  const others = entries.filter(
    ([name]) => !Object.hasOwn(CLUSTER_OPTIONS, name) && !Object.hasOwn(SERVER_OPTIONS, name),
  );
  const server = schemaOf(SERVER_OPTIONS).safeParse(of(SERVER_OPTIONS), { reportInput: true });
  if (!server.success)
    throw spelledError(
      UsageError,
      (spelling) => `Cannot start a cluster with these options: ${optionIssues(server.error, spelling)}.`,
    );
  return {
    train: Object.fromEntries(others) as unknown as TrainOptions,
    cluster: of(CLUSTER_OPTIONS) as ClusterOptions,
    server: of(SERVER_OPTIONS) as ServerOptions,
  };
}

function invitationOf({ invitation, notice }: RunServer): InvitationEvent {
  return { type: 'invitation', invitation, ...(notice !== undefined && { notice }) };
}

async function connect(
  run: RunNeeds,
  options: ServerOptions,
  opened: Opened,
  notice: (message: string) => void,
): Promise<Connection> {
  const server = await openServer(run, options, notice);
  let transport: NatsTransport;
  try {
    transport = await openNatsTransport({
      ...server.address,
      run: run.id,
      name: 'coordinator',
      inbox: server.inbox,
      create: { replicas: options.natsReplicas === '3' ? 3 : 1, maxBytes: run.bytes },
    });
  } catch (error) {
    // Before the folder is taken away under it, where the run is a new one.
    await server.stop(true).catch(() => {});
    throw error;
  }
  opened.server = server;
  opened.transport = transport;
  const faults = knownFaults(transport.serverVersion, options.nats ? undefined : false);
  if (faults !== undefined) notice(faults);
  const abandon = async () => {
    delete opened.server;
    await server.stop(true).catch(() => {});
  };
  const serve = (desk: OrderDesk) => server.serve(transport, desk);
  return { transport, gate: server.gate, key: server.key, serve, abandon };
}
