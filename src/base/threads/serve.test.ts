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
  await vi.waitFor(() => expect(port.postMessage).toHaveBeenCalledWith({ id: 3, output: 7 }, []));
  expect(host.cancel).not.toHaveBeenCalled();
  port.emit('message', { name: 'cancel' });
  expect(host.cancel).toHaveBeenCalledOnce();
  expect(host.handle).toHaveBeenCalledOnce();
});
