import { UsageError } from '../../base/errors.js';
import type { Workload } from '../types.js';
import type { DescribedCluster } from './cluster-file.js';
import { findCluster } from './clusters.js';
import { looksLikeFile, readUserJson } from './json-text.js';
import { modelNotices } from './model-config.js';
import { findModel, modelFromConfig } from './models.js';

/** A model, and what a user should know of how its file was read. */
export interface ModelFromConfig {
  readonly model: Workload;
  readonly warnings: readonly string[];
}

/**
 * A cluster by its name in the catalogue, as `NxACCELERATOR`, or from a JSON file.
 *
 * @throws UsageError naming the nearest names, or each key of the file that is wrong
 *
 * @category Planning a machine
 */
export async function readCluster(nameOrPath: string): Promise<DescribedCluster> {
  if (!looksLikeFile(nameOrPath)) return { cluster: findCluster(nameOrPath), warnings: [] };
  const json = await readUserJson(nameOrPath, 'a cluster file');
  // Loaded only where it is needed: the schemas take longer to load than a plan to make.
  const { clusterFromJson } = await import('./cluster-file.js');
  return clusterFromJson(json, nameOrPath);
}

/**
 * A model by its name in the catalogue, or from a Hugging Face `config.json`.
 *
 * @throws UsageError naming the nearest names, or the file and its key that is wrong
 *
 * @category Planning a machine
 */
export async function readModel(nameOrPath: string): Promise<Workload> {
  return (await describeModel(nameOrPath)).model;
}

/** As {@link readModel}, with what a user should know of how a file was read. */
export async function describeModel(nameOrPath: string): Promise<ModelFromConfig> {
  if (!looksLikeFile(nameOrPath)) return { model: findModel(nameOrPath), warnings: [] };
  const json = await readUserJson(nameOrPath, 'a config.json');
  try {
    return { model: modelFromConfig(json, nameOrPath), warnings: modelNotices(json) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${nameOrPath} describes no model: ${error.message}`, { cause: error });
  }
}
