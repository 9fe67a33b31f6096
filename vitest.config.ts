import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    // Two-core machines are common; training threads compete with the runner's own workers.
    maxWorkers: 2,
    // Tests that ask a hub ask one of their own.
    // Nor do they leave anything in the user's cache.
    env: { HF_HUB_OFFLINE: '1', MEANFIELD_CACHE: '' },
  },
});
