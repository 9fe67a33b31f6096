import { randomBytes } from 'node:crypto';
import { cutFragments, type Fragment } from '../../averaging/fragments.js';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { optimizerOf, scheduleOf } from '../../local/arrange-run.js';
import type { OpenRun } from '../../run/open-run.js';
import { partsOf } from '../../run/options.js';
import type { PreparedData } from '../../run/prepare-model.js';
import { type ClusterOptions, type ParsedClusterOptions, parseClusterOptions } from '../options.js';
import type { RunSetup } from '../protocol/configuration.js';
import { planRun, type RunLength } from './plan.js';
import type { RunContext } from './step-run.js';

/** A run between machines with all that its options leave open decided. */
export interface ClusterArrangement {
  /** In the message system; the same on each resumption. */
  readonly id: string;
  readonly cluster: ParsedClusterOptions;
  readonly setup: RunSetup;
  readonly plan: RunLength;
  /** But for what samples weigh: whoever leads opens them. */
  readonly context: Omit<RunContext, 'weigh'>;
  readonly fragments: readonly Fragment[];
}

/**
 * Decides what the options leave open and writes it into `run.json`, or reads it there.
 *
 * @throws UsageError when options do not go together, or a resumed run was started with others
 */
export async function arrangeCluster(
  run: OpenRun,
  { model, learned, rates, matrices, rows, task: { objective } }: PreparedData,
  given: ClusterOptions | undefined,
): Promise<ClusterArrangement> {
  const { options, chosen } = run;
  const { id, cluster } = clusterOf(run, given);
  const averageMoments = options.moments === 'average';
  if (cluster.fragments > 1 && averageMoments)
    throw spelledError(
      UsageError,
      ({ option }) =>
        'Averaged moments do not go with fragments: while one part is exchanged the others go on. Use ' +
        `${option('moments', 'keep')}, or ${option('fragments', 1)}.`,
    );
  const fragments = cutFragments(model.trained, cluster.fragments);
  // With P fragments a round exchanges one of them after H / P steps, so that each has its turn every H.
  const { syncEvery = 25 } = options;
  const steps = Math.max(1, Math.round(syncEvery / fragments.length));
  const { context: window = model.dimensions.context } = options;
  const perSample = learned.tokensPerSample ?? window;
  const tokensPerStep = options.batchSize * options.gradAccum * perSample;
  const plan = planRun(options, tokensPerStep, cluster.minWorkers, rows && rows * perSample);
  const optimizer = chosen.optimizer ?? optimizerOf(options, { rates, matrices });
  // As on threads: with Muon the plain mean ended 1.1 % lower (two replicas, H = 25, moments kept, WikiText-2).
  const { outer = optimizer.muon ? 'average' : 'nesterov' } = options;
  const schedule = chosen.schedule ?? scheduleOf(options, model.layout.size, plan.schedule);
  const stored = JSON.parse(JSON.stringify({ id, options: cluster }));
  await run.choose({ device: 'cpu', optimizer, schedule, cluster: stored });
  const setup: RunSetup = {
    model: JSON.parse(JSON.stringify(model.config)),
    ...partsOf(options, run.chosen.added),
    ...(options.dropout && { dropout: options.dropout }),
    ...(options.precision !== 'fp32' && { precision: options.precision }),
    objective,
    ...(window < model.dimensions.context && { context: window }),
    batchSize: options.batchSize,
    gradAccum: options.gradAccum,
    seed: options.seed,
    optimizer,
    schedule,
    // After every single step the plain mean is what is wanted, as with `train`.
    outer: {
      method: syncEvery === 1 ? 'average' : outer,
      learningRate: options.outerLr,
      momentum: options.outerMomentum,
    },
    averageMoments,
    cluster: {
      format: cluster.format,
      momentsFormat: cluster.momentsFormat,
      merge: cluster.merge,
      fragments: fragments.length,
      overlap: Math.min(cluster.overlap, steps),
      mixing: cluster.mixing,
    },
  };
  const samplesPerStep = options.batchSize * options.gradAccum;
  const context = { plan, samplesPerStep, tokensPerStep, steps, fragments: fragments.length };
  return { id, cluster, setup, plan, context, fragments };
}

/** Of a new run as given; of a resumed one its own. */
function clusterOf(run: OpenRun, given: ClusterOptions | undefined): { id: string; cluster: ParsedClusterOptions } {
  const { cluster: known } = run.chosen;
  if (known === undefined) {
    if (run.resumed && run.chosen.schedule)
      throw new UsageError(
        `${run.paths.folder} was trained on one machine. Go on with meanfield train --resume, or start a new run.`,
      );
    return { id: randomBytes(6).toString('hex'), cluster: parseClusterOptions(given) };
  }
  if (typeof known.id !== 'string') throw new MeanfieldError(`${run.paths.run} names no id of the run. Restore it.`);
  const own = parseClusterOptions(known.options as ClusterOptions);
  const wanted = parseClusterOptions({ ...own, ...given });
  const differing = (Object.keys(own) as (keyof ParsedClusterOptions)[]).filter(
    (key) => JSON.stringify(own[key]) !== JSON.stringify(wanted[key]),
  );
  if (differing.length > 0)
    throw spelledError(UsageError, ({ option }) => {
      const list = differing.map((name) => option(name)).join(', ');
      return `${run.paths.folder} was started with other options: ${list}. Leave these out, or start a new run.`;
    });
  return { id: known.id, cluster: own };
}
