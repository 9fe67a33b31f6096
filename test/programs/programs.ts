import { join } from 'node:path';

const folder = process.env.MEANFIELD_PROGRAMS;

/** Whether tests with others' programs can run; with MEANFIELD_REQUIRE_PROGRAMS=1 they do, so missing ones fail them. */
export const programsThere = process.env.MEANFIELD_REQUIRE_PROGRAMS === '1' || folder !== undefined;

/** A file of one of the programs in the package file beside this one, such as `node-llama-cpp/dist/index.js`. */
export function programPath(name: string): string {
  if (folder === undefined)
    throw new Error(
      'MEANFIELD_PROGRAMS must name a folder where `npm install --omit=optional` ran with test/programs/package.json',
    );
  return join(folder, 'node_modules', name);
}
