/**
 * Models larger than memory: steps of a published size with all of it on disk, under a limit that the system enforces.
 *
 *   npm run bench -- large [--preset gpt2-1.5b] [--mib 1024] [--steps 3] [--tokens 512] [--accumulate 1] [--folder DIR]
 *
 * The folder's disk needs 28 bytes a parameter, and 4 for the model that comes out. As root the limit is a control group's
 * (version 1 or 2), of all memory; else `ulimit -d`, of private writable memory, used or not: that ends some 15 % earlier.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, root, table } from './lib.js';
import { limitTo } from './memory-limit.js';

/** User and system time of a process, in seconds; Linux tells it in hundredths. */
async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** `npm run bench -- large`: seconds and processor seconds of each step, and the peak of memory. */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const { preset = 'gpt2-1.5b', mib = '1024', steps = '3', tokens = '512', accumulate = '1' } = options;
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'meanfield-large-'));
  const limit = await limitTo(Number(mib) * 2 ** 20);
  try {
    const text = join(folder, 'text.txt');
    // Enough for some windows, and few to validate: an evaluation is not what is measured.
    await writeFile(
      text,
      (await readFile(join(root, 'examples/tinyshakespeare.txt'))).subarray(0, 24 * Number(tokens)),
    );
    const train = [
      ...['train', text, '--run', join(folder, 'run'), '--preset', preset, '--tokenizer', 'bytes', '--offload', 'all'],
      ...['--context', tokens, '--batch-size', '1', '--grad-accum', accumulate, '--steps', steps, '--lr', '3e-5'],
      // A round a step, so that each is told of.
      ...['--eval-every', steps, '--sync-every', '1', '--force', '--json'],
    ];
    const child = spawn(
      'bash',
      ['-c', `${limit.first}; exec "$0" "$@"`, process.execPath, join(root, 'dist/cli.js'), ...train],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const rows: (string | number)[][] = [];
    let result: Record<string, unknown> | undefined;
    let told = 0;
    let [last, before] = [performance.now(), 0];
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as Record<string, unknown>;
      if (event.type === 'error') throw new Error(String(event.message));
      if (event.type === 'result') result = event;
      const isNew = event.type === 'progress' && Number(event.step) > told;
      if (event.type !== 'started' && !isNew) continue;
      if (isNew) told = Number(event.step);
      const [now, processor] = [performance.now(), await processorSeconds(child.pid!)];
      const seconds = [(now - last) / 1000, processor - before].map((one) => one.toFixed(1));
      const name = event.type === 'started' ? 'before the first step' : `to step ${event.step}`;
      rows.push([name, ...seconds, event.type === 'started' ? '-' : Number(event.loss).toFixed(4)]);
      [last, before] = [now, processor];
    }
    if (child.exitCode === null) await once(child, 'exit');
    if (!result) throw new Error(`it did not end within ${mib} MiB`);
    table(['', 'seconds', 'processor seconds', 'loss'], rows);
    const peak = Math.round(Number(result.peak_memory_bytes) / 2 ** 20);
    const size = (Number(result.parameters) / 1e6).toFixed(0);
    console.log(
      `${preset}, ${size}M parameters, within ${mib} MiB by ${limit.name}; the process had at most ${peak} MiB resident, files ` +
        'that it shares with others included, which a control group may not count.',
    );
  } finally {
    await limit.tidy();
    await rm(folder, { recursive: true, force: true });
  }
}
