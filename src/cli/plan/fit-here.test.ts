import { expect, it } from 'vitest';
import { fitHere } from './fit-here.js';

const planned = (name: string, vocabulary: number) => ({
  model: { name, vocabulary },
  fixed: { globalBatch: 1, sequence: 64 },
});

it('says of a preset what train would: as a whole where it fits, and what else where it does not', async () => {
  const within = async (limit: number) => fitHere('base', planned('base', 4096), limit);
  expect((await within(20e9))?.fit).toMatchObject({ offload: 'none', recompute: false, limitBytes: 20e9 });
  const { text, fit: little } = (await within(0.6e9))!;
  expect(little!.offload).not.toBe('none');
  expect(text).toMatch(/^Within 0\.6 GB of memory: layer by layer .*AdamW trains all in place of Muon\.$/);
  const none = (await within(0.1e9))!;
  expect(none.fit).toBeNull();
  expect(none.text).toMatch(/does not fit into --memory 0\.1:\n- as a whole/);
});

it('says nothing of a model that train does not have', async () => {
  expect(await fitHere('mt-nlg-530b', planned('mt-nlg-530b', 51_200), 1e9)).toBeUndefined();
});
