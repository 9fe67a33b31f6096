import { join } from 'node:path';

const folder = process.env.MEANFIELD_MODELS;

/** Whether tests with pretrained models can run; with MEANFIELD_REQUIRE_MODELS=1 they do, so missing ones fail them. */
export const modelsThere = process.env.MEANFIELD_REQUIRE_MODELS === '1' || folder !== undefined;

/** Where one of the models lies that `fetch.sh` beside this file brings. */
export function modelPath(name: string): string {
  if (folder === undefined) throw new Error('MEANFIELD_MODELS must name the folder that test/models/fetch.sh filled');
  return join(folder, name);
}
