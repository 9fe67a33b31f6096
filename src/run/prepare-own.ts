import { createHash } from 'node:crypto';
import { layoutHash } from '../averaging/layout-hash.js';
import { UsageError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { writeModelFolder } from '../hub/model-folder.js';
import { loadOwnModule, samplesOf } from '../objectives/own/load-module.js';
import { Own } from '../objectives/own/own.js';
import { rateRanges } from '../training/rate-ranges.js';
import { feedArrays } from '../training/step-program.js';
import { modelTensors } from './model-tensors.js';
import type { OpenRun } from './open-run.js';
import type { PreparedRun } from './task.js';

/** Samples of each list that tell whether it is the same: evenly spaced. */
const LOOKED_AT = 256;

/**
 * Imports the module of a run, tries what it defines, and writes down what it is.
 *
 * @throws UsageError when it does not fit, or on resuming gives other parameters or samples
 */
export async function prepareOwn(run: OpenRun, module: string): Promise<PreparedRun> {
  const { options, chosen } = run;
  const loaded = await loadOwnModule(module);
  const learned = new Own(loaded, loaded.file);
  learned.check(options.batchSize);
  const rates = rateRanges(learned.layout, learned.layout, options);
  const { training, validation } = await samplesOf(loaded);
  const hash = createHash('sha256').update(layoutHash(learned.layout));
  for (const list of [training, validation]) fingerprint(learned, list, hash);
  const sizes = { trainSamples: training.length, validationSamples: validation.length };
  const data = {
    fingerprint: hash.digest('hex'),
    train_samples: training.length,
    validation_samples: validation.length,
  };
  if (chosen.data !== undefined && chosen.data.fingerprint !== data.fingerprint)
    throw new UsageError(
      `${loaded.file} gives other samples or parameters than when ${run.paths.folder} was started (${training.length} ` +
        `training and ${validation.length} validation samples, ${learned.layout.size} parameters). samples must give the ` +
        'same ones each time, in the same order. Restore them, or start a new run.',
    );
  const config = { model_type: loaded.architecture.name, meanfield_objective: learned.name };
  await run.choose({ data, model: config, parameters: learned.layout.size });
  return {
    task: { kind: 'own', module },
    ...{ learned, rates },
    parameters: learned.layout.size,
    fingerprint: data.fingerprint,
    validation: Array.from({ length: validation.length }, (_, i) => i),
    sizes,
    initial: async () => learned.layout.initialize(new Random(options.seed, 'parameters')),
    writeModel: (folder, parameters) =>
      writeModelFolder(folder, {
        config,
        tensors: 'file' in parameters ? parameters : modelTensors(learned.layout, parameters),
        tokenizerFiles: {},
      }),
  };
}

/** Feeds some samples, which tries them too. */
function fingerprint(
  learned: Own,
  list: { readonly length: number; at(index: number): unknown },
  hash: { update(bytes: string | Uint8Array): unknown },
): void {
  const arrays = feedArrays(learned, 1);
  const count = Math.min(list.length, LOOKED_AT);
  hash.update(`${list.length}\n`);
  for (let i = 0; i < count; i++) {
    const weight = learned.fill([list.at(Math.floor((i * list.length) / count))], arrays);
    hash.update(`${weight}\n`);
    for (const array of Object.values(arrays))
      hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
}
