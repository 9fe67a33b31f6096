import { resolve } from 'node:path';
import { exists } from '../base/files/exists.js';
import { Random } from '../base/random.js';
import type { AdapterContent } from '../hub/peft.js';
import type { Model } from '../model/model.js';
import { checkFrozen, type FrozenPart, readFrozen, writeFrozen } from './frozen-part.js';
import type { OpenRun } from './open-run.js';
import { isOffloaded, objectiveName, partsOf, streamsBase } from './options.js';
import { readSource } from './source.js';
import { openBase, readsByTensors } from './streamed-base.js';

/** What a run's `model/` holds: all parameters, or the adapter. */
export async function weightsOf(
  { options, chosen }: OpenRun,
  model: Model,
  trained: Float32Array,
  frozen: FrozenPart | undefined,
): Promise<Float32Array | AdapterContent> {
  const { adapter } = partsOf(options, chosen.added);
  if (adapter) {
    const from = options.from!;
    // A name of the hub stays one.
    const base = (await exists(from)) ? resolve(from) : from;
    return { model, trained, settings: adapter, dropout: options.dropout ?? 0, base };
  }
  return model.join(trained, await readFrozen(frozen, model.frozen));
}

/** Stores the frozen parameters in the run's folder, or finds them there as they were. */
export async function frozenPart(
  { options, chosen, paths }: OpenRun,
  model: Model,
  start: StartVectors,
): Promise<FrozenPart | undefined> {
  const parts = partsOf(options, chosen.added);
  if (model.frozen.size === 0) return undefined;
  if (streamsBase(options)) {
    const from = options.from!;
    const base = await openBase(from, chosen.frozen?.sha256, chosen.frozen === undefined);
    await base.close();
    return { ...parts, path: from, sha256: base.sha256, streamed: true };
  }
  const path = paths.frozen;
  if (chosen.frozen === undefined) {
    const { frozen } = await start();
    return { ...parts, path, sha256: await writeFrozen(path, model.frozen, frozen) };
  }
  const part = { ...parts, path, sha256: chosen.frozen.sha256 };
  await checkFrozen(part);
  return part;
}

/** The trained and the frozen parameters that a run begins with, anew each time. */
type StartVectors = () => Promise<{ readonly trained: Float32Array; readonly frozen: Float32Array }>;

/** Those of the model that it starts from, or random ones; none where who trains reads them from files, or makes them. */
export async function startOf(run: OpenRun, model: Model): Promise<StartVectors> {
  const { from, seed } = run.options;
  if (from === undefined) return async () => initialVectors(model, seed);
  if (streamsBase(run.options))
    return async () => {
      const base = await openBase(from, run.chosen.frozen?.sha256);
      await base.close();
      if (run.chosen.from === undefined) await run.choose({ from: { model: from, sha256: base.sha256 } });
      // What an adapter beside a model in memory would begin with.
      return { trained: model.trained.initialize(new Random(seed, 'parameters')), frozen: new Float32Array(0) };
    };
  if (await startsFromFiles(run)) {
    if (run.chosen.from === undefined) {
      const base = await openBase(from, undefined, true);
      await base.close();
      await run.choose({ from: { model: from, sha256: base.sha256, streamed: true } });
    }
    const none = new Float32Array(0);
    return async () => ({ trained: none, frozen: none });
  }
  return async () => {
    const { parameters, sha256 } = await readSource(from, run.options, run.chosen.from?.sha256);
    if (run.chosen.from === undefined) await run.choose({ from: { model: from, sha256 } });
    return model.initialize(new Random(seed, 'parameters'), parameters);
  };
}

/** Whether the model that a run starts from is read tensor by tensor, as it may be larger than memory. */
export async function startsFromFiles({ options, chosen }: Pick<OpenRun, 'options' | 'chosen'>): Promise<boolean> {
  if (chosen.from) return chosen.from.streamed === true;
  const { from, addTokens } = options;
  // Preferences are measured beside the model as it was, before the first step.
  if (!isOffloaded(options) || addTokens !== undefined || objectiveName(options) === 'preference') return false;
  return readsByTensors(from!);
}

/** The trained parameters that a new model begins with: the same for the same seed, whatever is frozen. */
export function initialParameters(model: Model, seed: number): Float32Array {
  return initialVectors(model, seed).trained;
}

function initialVectors(model: Model, seed: number) {
  return model.initialize(new Random(seed, 'parameters'));
}
