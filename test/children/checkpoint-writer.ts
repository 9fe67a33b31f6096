/**
 * Saves checkpoints one after another until it is killed. Every tensor of the checkpoint of a step is filled with the
 * step, so a mixture of two would show. Every third save repeats its step, which replaces a folder.
 */
import { loadLatestCheckpoint, saveCheckpoint } from '../../src/run/checkpoint.js';

const folder = process.argv[2]!;
const { checkpoint, notices } = await loadLatestCheckpoint(folder);
const start = checkpoint?.step ?? 0;
await checkpoint?.close();
console.log(JSON.stringify({ start, notices }));
for (let step = start + 1; ; step++) {
  const tensor = (name: string) => ({ name, shape: [50_000], data: new Float32Array(50_000).fill(step) });
  const content = { model: [tensor('w')], optimizer: [tensor('m'), tensor('v')], state: { step } };
  for (let repeat = 0; repeat < (step % 3 === 0 ? 2 : 1); repeat++)
    await saveCheckpoint(folder, step, content, { keep: 2 });
}
