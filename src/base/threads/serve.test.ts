import { expect, it } from 'vitest';
import { serveThread } from './serve.js';

it('serves no thread where there is none', () => {
  const host = { handle: async () => null, cancel: () => {} };
  expect(() => serveThread(host)).toThrow('started as a worker thread');
});
