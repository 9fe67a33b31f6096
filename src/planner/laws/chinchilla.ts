import shipped from './chinchilla-points.json' with { type: 'json' };
import type { LossPoint } from './parametric.js';

/**
 * The 245 runs that the replication (arXiv 2404.10102) read off figure 4 of Hoffmann et al. (arXiv 2203.15556); tokens
 * are C/6N.
 */
export function chinchillaPoints(): LossPoint[] {
  return shipped.rows.map((row) => {
    const [parameters, flop, loss] = row as [number, number, number];
    return { parameters, tokens: flop / (6 * parameters), loss };
  });
}
