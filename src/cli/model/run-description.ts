import { exists } from '../../base/files/exists.js';
import { currentFolder } from '../../base/files/folder-swap.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../base/json.js';
import { listCheckpoints } from '../../run/checkpoint.js';
import { readRunFile, runPaths } from '../../run/run-folder.js';
import { describeModel, type ModelDescription, readModelDescription } from './model-description.js';
import { type RunProgress, readProgress } from './run-progress.js';

/** What `meanfield info` tells; nothing here loads the engine. */
export interface RunDescription {
  readonly run: string;
  readonly kind: 'run' | 'model';
  /** The model; missing until the tokenizer has decided its size. */
  readonly model?: ModelDescription;
  readonly progress?: RunProgress & { readonly checkpoints: readonly number[] };
  /** The options of the run, with defaults. */
  readonly configuration?: JsonObject;
  /** Fingerprint and size of the text. */
  readonly data?: JsonObject;
  /** What was chosen or measured where the options left it open. */
  readonly chosen?: JsonObject;
  /** Versions with which the run was started. */
  readonly environment?: JsonObject;
  /** What a user should know of the model's configuration. */
  readonly notices: readonly string[];
}

/**
 * Reads what a run folder, a Hugging Face model folder or a GGUF file tells of itself. The run may be training meanwhile.
 *
 * @throws MeanfieldError when the folder is neither, or a file in it is damaged
 */
export async function describeRun(folder: string): Promise<RunDescription> {
  const paths = runPaths(folder);
  if (await exists(paths.run)) {
    const content = object(await readRunFile(folder));
    const { data, model: config, parameters, ...chosen } = object(content.chosen);
    const path = await currentFolder(paths.model);
    const described =
      path !== undefined
        ? await readModelDescription(path, true)
        : isJsonObject(config) && describeModel(config, Number(parameters));
    return {
      run: folder,
      kind: 'run',
      ...(described && { model: described.model }),
      notices: described ? described.notices : [],
      progress: { ...(await readProgress(paths.metrics)), checkpoints: await listCheckpoints(paths.checkpoints) },
      configuration: object(content.options),
      data: object(data),
      chosen,
      environment: object(content.versions),
    };
  }
  return {
    run: folder,
    kind: 'model',
    ...(await readModelDescription(folder)),
  };
}

function object(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
