import { UsageError } from '../../base/errors.js';
import type { Workload } from '../types.js';
import type { DescribedCluster } from './cluster-file.js';
import { findCluster } from './clusters.js';
import { looksLikeFile, readUserJson } from './json-text.js';
import { findModel, modelFromConfig } from './models.js';

/**
 * A cluster by its name in the catalogue, as `NxACCELERATOR`, or from a JSON file.
 *
 * @throws UsageError naming the nearest names, or each key of the file that is wrong
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
 * @throws UsageError naming the nearest names, or the file and its key that is missing or wrong
 */
export async function readModel(nameOrPath: string): Promise<Workload> {
  if (!looksLikeFile(nameOrPath)) return findModel(nameOrPath);
  const json = await readUserJson(nameOrPath, 'a config.json');
  try {
    return modelFromConfig(json, nameOrPath);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${nameOrPath} describes no model: ${error.message}`, { cause: error });
  }
}
