import { parentPort } from 'node:worker_threads';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { buffersOf, type FromReplica, type StepDone } from './messages.js';

/** What carries out a thread's commands. */
export interface ThreadHost {
  handle(name: never, input: never, onStep: (step: StepDone) => void): Promise<unknown>;
  cancel(): void;
}

/** Carries out what the thread that started this one asks for (see replica-thread.ts), until it is told to close. */
export function serveThread(host: ThreadHost): void {
  const port = parentPort;
  if (port === null) throw new Error('This file is started as a worker thread.');
  const send = (message: FromReplica | { readonly id: number; readonly output: unknown }) =>
    port.postMessage(message, buffersOf(message));
  port.on('message', async (message: { id: number; name: string; input: unknown }) => {
    if (message.name === 'cancel') return host.cancel();
    const { id, name, input } = message;
    try {
      send({ id, output: await host.handle(name as never, input as never, (step) => send({ id, step })) });
    } catch (error) {
      const stack = error instanceof Error ? error.stack : undefined;
      send({ id, error: { message: messageOf(error), stack, forUser: error instanceof MeanfieldError } });
    }
    if (name === 'close') port.close();
  });
}
