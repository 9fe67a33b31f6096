import { Random } from '../../base/random.js';
import { memberTick } from '../member.js';
import { LAYOUT, Play, RUN } from '../play.test-support.js';
import type { RoundOptions } from '../types.js';
import type { FromSimulated, SimulatedMessage } from './cargo.js';
import { hashModel, initialModel } from './model.js';
import { SimulatedNetwork } from './network.js';
import { SimulatedStore } from './store.js';
import type { Surroundings } from './worker.js';

/** Parameters whose hash is that of the stored round 0. */
export const INITIAL = initialModel(1);
export const ZERO = { round: 0, hash: hashModel(INITIAL) };

/** A network with lines of one millisecond, a store, and what workers say. */
export function world(options: RoundOptions) {
  const random = new Random(1);
  const network = new SimulatedNetwork(random, { delay: [1, 1], duplicate: 0, loss: 0 });
  const store = new SimulatedStore({ ...new Play(options).state, committed: ZERO }, INITIAL);
  const said: FromSimulated[] = [];
  const surroundings: Surroundings = {
    run: RUN,
    machine: memberTick,
    watch: { trains: () => {}, takes: () => {}, says: () => {} },
    network,
    store,
    random,
    layout: LAYOUT,
    send: (message) => said.push(message),
    heartbeatEvery: null,
    transfer: 5,
    sharedLine: false,
    overlap: 0,
    damage: 0,
    miss: 0,
  };
  /** Runs what is due until `time`, and gives the types of what was said. */
  const until = (time: number) => {
    said.length = 0;
    while ((network.next ?? Number.POSITIVE_INFINITY) <= time) network.step();
    return said.map(({ type }) => type);
  };
  return { network, store, said, surroundings, until };
}

/** The welcome to a run at round 0. */
export const WELCOME = {
  type: 'welcome',
  committed: ZERO,
  closed: 0,
  chain: { snapshot: ZERO, results: [] },
} as const satisfies SimulatedMessage;
