/** Trains a few steps and prints one JSON line: the memory that was expected, and the peak. Started by `memory-need.ts`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTraining } from '../src/local/train.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
try {
  const training = startTraining({ ...JSON.parse(process.argv[2]!), run: join(folder, 'run') });
  let expected = 0;
  for await (const event of training) if (event.type === 'started') expected = event.expectedMemoryBytes ?? 0;
  console.log(JSON.stringify({ expected, peak: (await training.result).peakMemoryBytes }));
} finally {
  await rm(folder, { recursive: true, force: true });
}
