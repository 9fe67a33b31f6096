import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { buildChild, kill, nextOutput } from '../../test/child.js';
import { Random } from '../base/random.js';
import { loadLatestCheckpoint } from '../run/checkpoint.js';

test('killed at random moments while saving, the newest checkpoint is always whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'checkpoint-kill-'));
  const writer = await buildChild('checkpoint-writer');
  onTestFinished(() => writer.remove());
  const random = new Random(5);
  let before = 0;
  for (let round = 0; round < 30; round++) {
    const child = writer.start(folder);
    const answer = JSON.parse((await nextOutput(child))!);
    expect(answer).toEqual({ start: before, notices: [] });
    await new Promise((resolve) => setTimeout(resolve, random.below(120)));
    await kill(child);
    const { checkpoint, notices } = await loadLatestCheckpoint(folder);
    expect(notices).toEqual([]);
    const step = checkpoint?.step ?? 0;
    // At most the one save that was under way is lost, so steps never go back.
    expect(step).toBeGreaterThanOrEqual(before);
    if (checkpoint) {
      expect(checkpoint.state).toEqual({ step });
      for (const [file, name] of [
        [checkpoint.model, 'w'],
        [checkpoint.optimizer, 'm'],
        [checkpoint.optimizer, 'v'],
      ] as const) {
        expect(new Set(await file.readFloat32(name))).toEqual(new Set([step]));
      }
      await checkpoint.close();
    }
    before = step;
  }
  expect(before).toBeGreaterThan(5);
  await rm(folder, { recursive: true });
});
