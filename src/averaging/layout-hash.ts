import { sha256 } from '../base/hash.js';
import type { ParameterLayout } from '../model/layout.js';

/** Identifies where each parameter lies in the vector. */
export function layoutHash(layout: ParameterLayout): string {
  return sha256(JSON.stringify(layout.entries.map(({ name, offset, shape }) => [name, offset, shape])));
}
