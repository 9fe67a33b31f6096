import { fileURLToPath } from 'node:url';
import { defineConfig } from 'tsdown';
import { workers } from '../tsdown.config.js';

export default defineConfig({
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  entry: {
    main: 'bench/main.ts',
    ours: 'bench/ours.ts',
    'run-memory': 'bench/run-memory.ts',
    'finetune-worker': 'bench/finetune/worker.ts',
    'plain-exchange': 'bench/cluster/plain-exchange.ts',
    'schedules-worker': 'bench/cluster/schedules-worker.ts',
    ...workers,
  },
  format: 'esm',
  fixedExtension: false,
  platform: 'node',
  target: 'node20.19',
  outDir: 'bench/dist',
  dts: false,
  // What starts other programs by its own files' places.
  deps: { neverBundle: ['playwright-core', 'tsdown'] },
});
