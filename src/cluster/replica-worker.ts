// The entry of a replica's thread (see replica-thread.ts).
import { parentPort } from 'node:worker_threads';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { buffersOf, type FromReplica, type ToReplica } from './messages.js';
import { ReplicaHost } from './replica-host.js';

const port = parentPort;
if (port === null) throw new Error('This file is started as a worker thread.');
const host = new ReplicaHost();
const send = (message: FromReplica) => port.postMessage(message, buffersOf(message));

port.on('message', async (message: ToReplica) => {
  if (message.name === 'cancel') return host.cancel();
  const { id, name, input } = message;
  try {
    send({ id, output: await host.handle(name, input, (step) => send({ id, step })) });
  } catch (error) {
    const stack = error instanceof Error ? error.stack : undefined;
    send({ id, error: { message: messageOf(error), stack, forUser: error instanceof MeanfieldError } });
  }
  if (name === 'close') port.close();
});
