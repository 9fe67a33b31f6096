// Builds the benchmarks and runs those named: npm run bench -- gemm train
import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const builder = createRequire(import.meta.url).resolve('tsdown/run');
execFileSync(process.execPath, [builder, '--config', here('tsdown.config.ts'), '--logLevel', 'error'], {
  cwd: here('..'),
  stdio: ['ignore', 2, 2],
});
const { status } = spawnSync(process.execPath, [here('dist/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
process.exitCode = status ?? 1;
