import { UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import type { ClusterOptions, ClusterResult } from '../../cluster/index.js';
import { CLUSTER_OPTIONS } from '../../cluster/option-table.js';
import { trainOptionsBetweenMachines } from '../../cluster/options.js';
import { createClusterMetrics, type MetricsServer, serveMetrics } from '../../cluster/prometheus/index.js';
import { SERVER_OPTIONS, type ServerOptions } from '../../cluster/server/options.js';
import {
  type ClusterEvent,
  type ClusterRun,
  type InvitationEvent,
  startCluster as start,
} from '../../cluster/server/start-cluster.js';
import { TRAIN_OPTIONS } from '../../run/option-table.js';
import type { TrainOptions } from '../../run/options.js';
import { bringModel } from '../hub/bring-model.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { follow } from '../terminal/follow.js';
import { duration, grouped, loss, shellQuote, short } from '../terminal/format.js';
import { nextCommands } from '../train/run-lines.js';
import { ClusterProgress } from './cluster-progress.js';

/** What commander makes of the options of `cluster start`. */
export type ClusterFlags = OptionsOf<typeof TRAIN_OPTIONS> & ClusterOptions & ServerOptions;

/** Coordinates a run, telling its events; Ctrl-C finishes the round and saves. */
export async function startCluster(corpus: readonly string[], flags: ClusterFlags, context: Context): Promise<number> {
  const { train, cluster, server } = splitFlags(corpus, flags);
  // Before anything is fetched.
  trainOptionsBetweenMachines(train);
  if (corpus.length === 0 && train.resume !== true) {
    throw new UsageError(
      'Missing argument: name a text file or a folder to learn from. See meanfield cluster start --help.',
    );
  }
  if (!(await bringModel(flags.resume ? undefined : flags.from, context))) return INTERRUPTED;
  const progress = new ClusterProgress(context.output);
  let run: ClusterRun | undefined;
  const metrics = createClusterMetrics(() => run?.status());
  let exposed: MetricsServer | undefined;
  if (flags.metricsPort !== undefined) {
    exposed = await serveMetrics(metrics, flags.metricsPort);
    progress.note(`metrics: ${exposed.url}`);
  }
  const started = start({ ...train, ...cluster, ...server });
  run = started;
  const show = (event: ClusterEvent) => {
    if (event.type === 'invitation') return tellInvitation(event, context, progress);
    if (exposed) metrics.observe(event);
    progress.show(event);
  };
  try {
    const result = await follow(started, context, {
      display: { show, end: () => progress.end() },
      stopping: 'stopping: finishing the round, then saving',
      stop: () => started.stop(),
      summary,
    });
    return result.interrupted ? INTERRUPTED : 0;
  } finally {
    await started[Symbol.asyncDispose]();
    await exposed?.close();
  }
}

/** Sorts the flags by whose options they are: commander has them in one. */
export function splitFlags(
  corpus: readonly string[],
  flags: ClusterFlags,
): { readonly train: TrainOptions; readonly cluster: ClusterOptions; readonly server: ServerOptions } {
  return {
    train: { ...pickOptions(TRAIN_OPTIONS, flags), corpus },
    cluster: pickOptions(CLUSTER_OPTIONS, flags),
    server: pickOptions(SERVER_OPTIONS, flags),
  };
}

function tellInvitation({ invitation, notice }: InvitationEvent, { output }: Context, progress: ClusterProgress): void {
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
      `${duration(result.seconds)} (${short(result.tokensPerSecond)} tokens/s).`,
    `Validation loss ${loss(result.valLoss)}, best ${loss(result.bestValLoss)}. The best model: ${result.run}/model`,
    '',
    'Next:',
    ...(result.interrupted ? [`  meanfield cluster start --run ${run} --resume`] : nextCommands(result.objective, run)),
  ];
  return `${lines.join('\n')}\n`;
}
