import type { Arrangement } from '../types.js';

/** What of an arrangement decides its strategy. */
type Degrees = Pick<Arrangement, 'data' | 'tensor' | 'pipeline' | 'context' | 'expert' | 'zero' | 'offload'>;

/** What the name of a strategy ends with when it offloads. */
export const OFFLOAD = ', offload';

/** The words for what an arrangement does: `data parallel`, `ZeRO-3`, `tensor + pipeline`, `ZeRO-3, offload`, … */
export function strategyOf({ tensor, pipeline, context, expert, zero, offload, data }: Degrees): string {
  const split = [
    ...(tensor > 1 ? ['tensor'] : []),
    ...(pipeline > 1 ? ['pipeline'] : []),
    ...(context > 1 ? ['context'] : []),
    ...(expert > 1 ? ['expert'] : []),
  ];
  const words = split.length > 0 ? split.join(' + ') : zero > 0 ? `ZeRO-${zero}` : data > 1 ? 'data parallel' : 'alone';
  return offload === 'none' ? words : words + OFFLOAD;
}
