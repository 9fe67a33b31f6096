// The entry of a thread that counts words and encodes text (see dataset/bpe-pool.ts).
import { parentPort } from 'node:worker_threads';
import { BpeEngine } from './dataset/bpe-engine.js';
import type { WorkerRequest } from './dataset/worker-messages.js';

const port = parentPort;
if (port === null) throw new Error('This file is started as a worker thread.');
const engine = new BpeEngine();
port.on('message', (request: WorkerRequest) => {
  const answer = engine.handle(request);
  port.postMessage(answer, 'ids' in answer ? [answer.ids.buffer as ArrayBuffer] : []);
});
