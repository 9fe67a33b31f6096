import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { workerFile } from '../base/worker-file.js';

it('answers what it is asked, in order', async () => {
  const worker = new Worker(workerFile('encode-worker'));
  try {
    const answers: unknown[] = [];
    worker.on('message', (answer) => answers.push(answer));
    const batch = { bytes: Buffer.from('ab ab'), segments: [{ start: 0, source: 's', offset: 0, opens: false }] };
    worker.postMessage({ type: 'count', batch });
    worker.postMessage({ type: 'counts' });
    while (answers.length < 2) await once(worker, 'message');
    expect(answers).toEqual([
      { done: true },
      {
        counts: {
          bytes: Uint8Array.from(Buffer.from('ab ab')),
          ends: Uint32Array.of(2, 5),
          counts: Float64Array.of(1, 1),
        },
      },
    ]);
  } finally {
    await worker.terminate();
  }
});
