import { EventEmitter } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { serveThread } from './serve.js';

const threads = vi.hoisted(() => ({ parentPort: null as unknown }));
vi.mock('node:worker_threads', () => ({
  get parentPort() {
    return threads.parentPort;
  },
}));
afterEach(() => {
  threads.parentPort = null;
});

it('serves no thread where there is none', () => {
  const host = { handle: async () => null, cancel: () => {} };
  expect(() => serveThread(host)).toThrow('started as a worker thread');
});

it('answers a command that is called as the message that ends its work, and takes neither for the other', async () => {
  const port = Object.assign(new EventEmitter(), { postMessage: vi.fn(), close: vi.fn() });
  threads.parentPort = port;
  const host = { handle: vi.fn(async (_: never, input: never) => input), cancel: vi.fn() };
  serveThread(host);
  port.emit('message', { id: 3, name: 'cancel', input: 7 });
  await vi.waitFor(() => expect(port.postMessage).toHaveBeenCalledWith({ id: 3, output: 7 }));
  expect(host.cancel).not.toHaveBeenCalled();
  port.emit('message', { name: 'cancel' });
  expect(host.cancel).toHaveBeenCalledOnce();
  expect(host.handle).toHaveBeenCalledOnce();
});

it('tells what comes at once in one message, in its order, and moves arrays at once', async () => {
  const port = Object.assign(new EventEmitter(), { postMessage: vi.fn(), close: vi.fn() });
  threads.parentPort = port;
  const array = Float32Array.of(1, 2);
  const host = {
    handle: async (_name: never, _input: never, onStep: (step: unknown) => void) => {
      for (const step of ['a', 'b', array, 'c']) onStep(step);
      await new Promise(setImmediate);
      onStep('d');
      return null;
    },
    cancel: () => {},
  };
  serveThread(host);
  port.emit('message', { id: 1, name: 'close', input: null });
  await vi.waitFor(() => expect(port.close).toHaveBeenCalledOnce());
  expect(port.postMessage.mock.calls).toEqual([
    [
      [
        { id: 1, step: 'a' },
        { id: 1, step: 'b' },
      ],
    ],
    [{ id: 1, step: array }, [array.buffer]],
    [{ id: 1, step: 'c' }],
    [{ id: 1, step: 'd' }],
    [{ id: 1, output: null }],
  ]);
});
