// The entry of a LINPACK thread (see threads.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Distribution } from './blocks.js';
import { measure } from './measure.js';
import { productSpeed } from './product-speed.js';
import { SharedTeam, TeamFailure, type TeamMemory } from './team.js';
import type { FactorType } from './types.js';

/** What a thread is started with. */
export interface ThreadInput {
  readonly memory: TeamMemory;
  readonly rank: number;
  readonly type: FactorType;
}

/** What a thread tells. */
export type ThreadMessage =
  | { readonly type: 'progress'; readonly share: number }
  | {
      readonly type: 'measured';
      readonly milliseconds: number;
      readonly residual: number;
      readonly iterations: number;
      readonly productGflops: number;
    }
  | { readonly type: 'failed'; readonly message: string; readonly forUser: boolean };

const port = parentPort;
if (port === null) throw new Error('This file is started as a worker thread.');
const send = (message: ThreadMessage) => port.postMessage(message);

const { memory, rank, type } = workerData as ThreadInput;
const team = new SharedTeam(memory, rank, type);
try {
  const engine = new NodeEngine();
  team.barrier();
  const productGflops = await productSpeed(engine, type);
  team.barrier();
  const distribution = new Distribution(memory.n, memory.nb, memory.size);
  const onProgress = (share: number) => send({ type: 'progress', share });
  const { milliseconds, residual, iterations } = await measure(engine, team, { distribution, type, onProgress });
  send({ type: 'measured', milliseconds, residual, iterations, productGflops });
} catch (error) {
  team.fail();
  if (!(error instanceof TeamFailure)) {
    send({ type: 'failed', message: messageOf(error), forUser: error instanceof MeanfieldError });
  }
}
