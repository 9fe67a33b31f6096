import { availableParallelism } from 'node:os';
import { MeanfieldError } from '../../base/errors.js';
import { COMMAND_LINE } from '../../base/spelling.js';
import { optimizerOf } from '../../local/arrange-run.js';
import { fitOf, fitText, fittingWay, unfitText } from '../../local/fitting-way.js';
import { layeredWays, wholeWays } from '../../local/ways.js';
import { Model } from '../../model/model.js';
import { findPreset, presetNames } from '../../model/presets.js';
import { Causal } from '../../objectives/causal/causal.js';
import { looksLikeFile, readUserJson } from '../../planner/catalogue/json-text.js';
import type { Plan } from '../../planner/run/plan.js';
import type { MemoryFit } from '../../run/events.js';
import { optimizerName, parseTrainOptions } from '../../run/options.js';
import { muonMatrices } from '../../training/muon.js';
import { MOMENTS_PRECISIONS } from '../../training/optimizers.js';

/** What `train --memory` would say of a model here. */
export interface FitHere {
  readonly text: string;
  /** Null where nothing fits. */
  readonly fit: MemoryFit | null;
}

/** What of a plan its answer depends on. */
type Planned = {
  readonly model: Pick<Plan['model'], 'name' | 'vocabulary'>;
  readonly fixed: Pick<Plan['fixed'], 'globalBatch' | 'sequence'>;
};

/**
 * How `train` would train a new model on this machine within so many bytes, by the sums that it makes itself.
 *
 * @param name as it was asked for: a preset, or a `config.json`
 * @returns undefined for a model that `train` does not have, or that does not learn the next token
 */
export async function fitHere(name: string, { model, fixed }: Planned, limit: number): Promise<FitHere | undefined> {
  const learned = await learnedOf(name, model, fixed.sequence);
  if (learned === undefined) return undefined;
  const options = parseTrainOptions({ corpus: [name] });
  const matrices = muonMatrices(learned.model.trained, learned.model.linearLayers());
  const setup = {
    ...{ learned: learned.objective, replicas: 1, threads: availableParallelism(), gradAccum: 1 },
    ...{ batchSize: fixed.globalBatch, optimizer: optimizerOf(options, { rates: undefined, matrices }) },
    ...({ exchange: 'nothing', averageMoments: true, sharded: false } as const),
  };
  const reasons: string[] = [];
  const others = layeredWays(options, setup, (reason) => reasons.push(reason));
  const ways = wholeWays(setup, { most: others.length > 0 ? limit : undefined, keeping: MOMENTS_PRECISIONS });
  const { way, passed } = fittingWay({ limit, ways, others });
  const asked = { memory: Number((limit / 1e9).toPrecision(3)), free: false };
  if (way === undefined) return { text: unfitText(passed, asked, reasons, COMMAND_LINE), fit: null };
  const optimizer = { before: optimizerName(options), after: optimizerName({ ...options, offload: way.offload }) };
  return { text: fitText(way, passed, asked, optimizer), fit: fitOf(way, limit) };
}

async function learnedOf(name: string, { name: found, vocabulary }: Planned['model'], context: number) {
  try {
    const preset = presetNames.find((one) => one === name || one === found);
    if (preset === undefined && !looksLikeFile(name)) return undefined;
    const model = preset
      ? Model.create(findPreset(preset).family, { ...findPreset(preset), vocabulary })
      : Model.fromConfig(await readUserJson(name, 'a config.json'));
    return { model, objective: new Causal(model, context) };
  } catch (error) {
    // Of another family, or an encoder.
    if (error instanceof MeanfieldError) return undefined;
    throw error;
  }
}
