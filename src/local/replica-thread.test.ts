import { expect, it } from 'vitest';
import { MeanfieldError } from '../base/errors.js';
import { startReplicaThread } from './replica-thread.js';

/** A thread that runs a few lines of JavaScript for each message. */
function threadOf(onMessage: string): URL {
  const code = `
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', (message) => {
      const { id, name, input } = message;
      const answer = (output, transfer = []) => parentPort.postMessage({ id, output }, transfer);
      if (name === 'close') { answer(null); parentPort.close(); return; }
      ${onMessage}
    });`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

it('moves vectors there and back, tells of steps, and matches answers to questions', async () => {
  const thread = startReplicaThread(
    threadOf(`
      if (name === 'train') {
        parentPort.postMessage({ id, step: { step: input.step, loss: 2, gradientNorm: 1 } });
        answer({ steps: input.steps });
      }
      if (name === 'load') { input.parameters[0]++; answer(input.parameters[0] + ' ' + input.parameters.length); }`),
  );
  const parameters = Float32Array.of(41, 0);
  const steps: number[] = [];
  const [trained, hash] = await Promise.all([
    thread.ask('train', { step: 7, steps: 3 }, ({ step }) => steps.push(step)),
    thread.ask('load', { parameters }),
  ]);
  expect(parameters.length).toBe(0);
  expect(trained.steps).toBe(3);
  expect(hash).toBe('42 2');
  expect(steps).toEqual([7]);
  await thread.close();
});

it('passes on what the thread failed with, and goes on', async () => {
  const thread = startReplicaThread(
    threadOf(`
      if (name === 'evaluate') parentPort.postMessage({ id, error: { message: 'no text', stack: 'there', forUser: true } });
      if (name === 'init') parentPort.postMessage({ id, error: { message: 'a bug', stack: 'here', forUser: false } });
      if (name === 'load') answer('still there');`),
  );
  const failure = await thread.ask('evaluate', []).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(MeanfieldError);
  expect(failure).toMatchObject({ message: 'no text', stack: 'there' });
  const bug = await thread.ask('init', {} as never).catch((error: unknown) => error);
  expect(bug).not.toBeInstanceOf(MeanfieldError);
  expect(bug).toMatchObject({ message: 'a bug', stack: 'here' });
  expect(await thread.ask('load', { parameters: new Float32Array(1) })).toBe('still there');
  await thread.close();
});

it('fails every question, open and later, when the thread ends', async () => {
  const thread = startReplicaThread(threadOf(`if (name === 'train') throw new Error('out of memory');`));
  const open = thread.ask('train', { step: 0, steps: 1 });
  await expect(open).rejects.toThrow("A replica's thread failed: out of memory.");
  await expect(thread.ask('evaluate', [])).rejects.toThrow('out of memory');
  await thread.close();
});

it('says so when a thread ends by itself', async () => {
  const thread = startReplicaThread(threadOf(`process.exit(3);`));
  await expect(thread.ask('evaluate', [])).rejects.toThrow("A replica's thread ended with code 3.");
  await thread.close();
});
