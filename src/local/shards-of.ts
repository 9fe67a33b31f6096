import { cutShards, type Shard } from '../averaging/shards.js';
import { rangeOf } from '../training/muon.js';
import type { ReplicaSetup } from './messages.js';

/**
 * The shard of each replica. Of gradients, whose steps replicas may make each for its shard alone, a matrix that is trained as
 * one lies in one of them; likewise where they make them all, so that the gradient's norm has the same bits.
 */
export function shardsOf(
  { replicas, exchange, optimizer }: Pick<ReplicaSetup, 'replicas' | 'exchange' | 'optimizer'>,
  size: number,
): Shard[] {
  return cutShards(size, replicas, exchange === 'gradients' ? optimizer.muon?.matrices.map(rangeOf) : []);
}
