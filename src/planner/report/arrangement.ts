import type { Arrangement } from '../types.js';

/** An arrangement in a line: `data 16 × tensor 8 × pipeline 15 (7 interleaved), ZeRO-1, micro-batch 2`. */
export function arrangementText(arrangement: Arrangement): string {
  const { data, tensor, pipeline, context, expert, interleave, zero, microBatch, recompute, offload } = arrangement;
  const degrees = [
    `data ${data}`,
    ...(tensor > 1 ? [`tensor ${tensor}`] : []),
    ...(context > 1 ? [`context ${context}`] : []),
    ...(pipeline > 1 ? [`pipeline ${pipeline}${interleave > 1 ? ` (${interleave} interleaved)` : ''}`] : []),
  ];
  return [
    degrees.join(' × '),
    ...(expert > 1 ? [`experts over ${expert}`] : []),
    ...(zero > 0 ? [`ZeRO-${zero}`] : []),
    `micro-batch ${microBatch}`,
    ...(recompute === 'none' ? [] : [`${recompute} recomputation`]),
    ...(offload === 'none' ? [] : [`${offload.replace('+', ' and ')} on ${arrangement.offloadTo}`]),
  ].join(', ');
}
