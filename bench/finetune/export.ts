import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { median, root, table } from '../lib.js';
import { gigabytes } from './process.js';
import type { Settings } from './settings.js';

const program = `${root}dist/cli.js`;

/** Prints what a process took of memory at most, as its last line on standard error. */
const HOOK = 'data:text/javascript,process.on("exit",()=>console.error(process.resourceUsage().maxRSS*1024))';

/** How long `export` takes from start to exit in each format, and its peak memory beside the file that it reads. */
export async function exportTimes({ model, repeats }: Settings, folder: string): Promise<void> {
  if (!existsSync(program)) return console.log('\nExport skipped: build the program first, npm run build.');
  const read = statSync(join(model, 'model.safetensors')).size;
  const rows = ['gguf', 'onnx'].map((format) => {
    const runs = [];
    for (let i = 0; i < repeats; i++) {
      const started = performance.now();
      const args = ['export', model, '--to', format, '--out', join(folder, `${format}-${i}`)];
      const { status, stderr } = spawnSync(process.execPath, ['--import', HOOK, program, ...args], {
        encoding: 'utf8',
      });
      const lines = stderr.trim().split('\n');
      if (status !== 0) return [format, `skipped: ${lines[0]}`, '', ''];
      runs.push({ seconds: (performance.now() - started) / 1000, bytes: Number(lines.at(-1)) });
    }
    const peak = median(runs.map(({ bytes }) => bytes));
    const seconds = median(runs.map((run) => run.seconds));
    return [format, seconds.toFixed(1), gigabytes(peak), (peak / read).toFixed(2)];
  });
  console.log('\n### Export, from start to exit');
  table(['to', 'seconds', 'peak memory', `× the file that is read (${gigabytes(read)})`], rows);
}
