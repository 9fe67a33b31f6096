import { expect, test } from 'vitest';
import { workerFile } from './worker-file.js';

test('from the sources a worker lies in the built package', () => {
  expect(workerFile('some-worker').href).toBe(new URL('../../dist/some-worker.js', import.meta.url).href);
});
