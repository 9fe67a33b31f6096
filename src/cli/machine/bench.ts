import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MeanfieldError } from '../../base/errors.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { onInterrupt } from '../terminal/interrupt.js';

/** From the built program, which lies in `dist/`. */
const ROOT = new URL('../', import.meta.url);

/**
 * Runs the repository's benchmarks; their tables go to standard output, or to standard error with `--json`.
 *
 * @throws MeanfieldError outside a clone, because the other programs are no dependencies of the package
 */
export async function bench(names: readonly string[], context: Context): Promise<number> {
  const { output } = context;
  const script = fileURLToPath(new URL('bench/run.js', ROOT));
  if (!existsSync(script)) {
    throw new MeanfieldError(
      'The benchmarks are not in the installed package. Run them in a clone of the repository: npm ci && npm run bench.',
    );
  }
  const child = spawn(process.execPath, [script, ...names], {
    cwd: fileURLToPath(ROOT),
    stdio: ['inherit', output.json ? 2 : 'inherit', 'inherit'],
  });
  const interruption = onInterrupt(output, 'stopping the benchmarks', () => child.kill('SIGTERM'));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  interruption.release();
  if (interruption.requested) return INTERRUPTED;
  if (code !== 0) throw new MeanfieldError(`The benchmarks failed (exit code ${code}); the lines above tell why.`);
  output.event({ type: 'result', names, results: fileURLToPath(new URL('bench/RESULTS.md', ROOT)) });
  return 0;
}
