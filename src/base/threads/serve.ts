import { parentPort } from 'node:worker_threads';
import { MeanfieldError, messageOf, UsageError } from '../errors.js';
import { buffersOf, type FromThread, type ToThread } from './messages.js';

/** What carries out a thread's commands. */
export interface ThreadHost<S> {
  handle(name: never, input: never, onStep: (step: S) => void): Promise<unknown>;
  cancel(): void;
}

/** Carries out what the thread that started this one asks for (see start.ts), until it is told to close. */
export function serveThread<S>(host: ThreadHost<S>): void {
  const port = parentPort;
  if (port === null) throw new Error('This file is started as a worker thread.');
  let unsent: FromThread<S>[] = [];
  const flush = () => {
    if (unsent.length > 0) port.postMessage(unsent.length === 1 ? unsent[0] : unsent);
    unsent = [];
  };
  // What is told in one go is one message: of a step that writes many texts each would else take both threads its time.
  const send = (message: FromThread<S>) => {
    const buffers = buffersOf(message);
    if (buffers.length > 0) {
      flush();
      port.postMessage(message, buffers);
    } else if (unsent.push(message) === 1) queueMicrotask(flush);
  };
  port.on('message', async (message: ToThread) => {
    // A command may have the same name.
    if (!('id' in message)) return host.cancel();
    const { id, name, input } = message;
    try {
      send({ id, output: await host.handle(name as never, input as never, (step) => send({ id, step })) });
    } catch (error) {
      const stack = error instanceof Error ? error.stack : undefined;
      const [forUser, usage] = [error instanceof MeanfieldError, error instanceof UsageError];
      send({ id, error: { message: messageOf(error), stack, forUser, usage } });
    }
    if (name !== 'close') return;
    flush();
    port.close();
  });
}
