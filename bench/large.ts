/**
 * Models larger than memory: steps of a published size with all of it on disk, under a limit that the system enforces.
 *
 *   npm run bench -- large [--preset gpt2-1.5b] [--mib 1024] [--steps 3] [--tokens 512] [--accumulate 1] [--folder DIR]
 *
 * The folder's disk needs 28 bytes a parameter, and 4 for the model that comes out.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, root } from './lib.js';

interface Step {
  readonly step: number;
  readonly loss: number;
  readonly seconds: number;
  readonly processorSeconds: number;
}

/** User and system time of a process, in seconds; Linux tells it in hundredths. */
async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const { preset = 'gpt2-1.5b', mib = '1024', steps = '3', tokens = '512', accumulate = '1' } = options;
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'meanfield-large-'));
  try {
    const text = join(folder, 'text.txt');
    // Enough for some windows, and few to validate: an evaluation is not what is measured.
    await writeFile(
      text,
      (await readFile(join(root, 'examples/tinyshakespeare.txt'))).subarray(0, 30 * Number(tokens)),
    );
    const train = [
      ...['train', text, '--run', join(folder, 'run'), '--preset', preset, '--tokenizer', 'bytes', '--offload', 'all'],
      ...['--context', tokens, '--batch-size', '1', '--grad-accum', accumulate, '--steps', steps, '--lr', '3e-5'],
      // A line a step.
      ...['--eval-every', steps, '--sync-every', '1', '--force', '--json'],
    ];
    const limited = `ulimit -d ${Number(mib) * 1024}; exec "$0" "$@"`;
    const child = spawn('bash', ['-c', limited, process.execPath, join(root, 'dist/cli.js'), ...train], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const done: Step[] = [];
    let result: Record<string, unknown> | undefined;
    let [last, before] = [performance.now(), 0];
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as Record<string, unknown>;
      const processor = event.type === 'started' || event.type === 'progress' ? await processorSeconds(child.pid!) : 0;
      if (event.type === 'progress') {
        const seconds = (performance.now() - last) / 1000;
        done.push({
          ...{ step: Number(event.step), loss: Number(event.loss) },
          ...{ seconds, processorSeconds: processor - before },
        });
        console.log(JSON.stringify(done.at(-1)));
      }
      if (processor > 0) [last, before] = [performance.now(), processor];
      if (event.type === 'result') result = event;
      if (event.type === 'error') throw new Error(String(event.message));
    }
    if (!result) throw new Error(`no result within ${mib} MiB`);
    const peak = Math.round(Number(result.peak_memory_bytes) / 2 ** 20);
    console.log(JSON.stringify({ preset, parameters: result.parameters, limitMiB: Number(mib), peakMiB: peak }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
