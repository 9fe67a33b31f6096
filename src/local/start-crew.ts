import type { Objective } from '../objectives/objective.js';
import type { Crew } from './crew.js';
import { OffloadedTeam } from './offloaded-team.js';
import type { ReplicaHandle } from './replica-thread.js';
import type { SavedState } from './saved-state.js';
import { ShardedTeam } from './sharded-team.js';
import { Team, type TeamSetup } from './team.js';

/** Starts the replicas of a run, which differ by where its vectors are. @param from moved to them */
export function startCrew(
  setup: TeamSetup,
  learned: Objective<never>,
  { team: state, checkpoint }: SavedState,
  start?: () => ReplicaHandle,
): Promise<Crew> {
  if (setup.offload) return OffloadedTeam.start(setup, setup.offload.folder, learned.layout, state, start);
  if (setup.stage !== undefined) return ShardedTeam.start(setup, { learned, state, checkpoint }, start);
  return Team.start(setup, learned.layout, state, start);
}
