import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { sha256File } from '../base/hash.js';
import { weightBytes, writeWeights } from './write-weights.js';

it('any tensors are cut into files that hold each once, none above the size unless by one tensor alone', async () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 });
  const rounded = fc.constantFrom(undefined, 'F16' as const, 'BF16' as const);
  await fc.assert(
    fc.asyncProperty(lengths, rounded, fc.integer({ min: 1, max: 200 }), async (all, dtype, shardBytes) => {
      const folder = await mkdtemp(join(tmpdir(), 'write-weights-'));
      const tensors = all.map((length, i) => ({
        name: `t${i}`,
        shape: [length],
        data: new Float32Array(length).fill(i),
      }));
      let told = 0;
      const count = (bytes: number) => {
        told += bytes;
      };
      const hashes = await writeWeights(folder, tensors, { rounded: dtype, shardBytes, told: count });
      const names = (await readdir(folder)).sort();
      expect(Object.keys(hashes).sort()).toEqual(names);
      for (const name of names) expect(await sha256File(join(folder, name))).toBe(hashes[name]);
      const seen: string[] = [];
      for (const name of names.filter((one) => one.endsWith('.safetensors'))) {
        const file = await SafetensorsFile.open(join(folder, name));
        const held = [...file.tensors.keys()];
        const bytes = weightBytes(
          tensors.filter((tensor) => held.includes(tensor.name)),
          dtype,
        );
        expect(bytes <= shardBytes || held.length === 1 || bytes === 0).toBe(true);
        for (const tensor of held)
          expect(await file.readFloat32(tensor)).toEqual(tensors[Number(tensor.slice(1))]!.data);
        seen.push(...held);
        told -= (await stat(join(folder, name))).size;
        await file.close();
      }
      expect(seen.sort()).toEqual(tensors.map(({ name }) => name).sort());
      expect(names.includes('model.safetensors')).toBe(names.length === 1);
      expect(told).toBe(0);
      await rm(folder, { recursive: true });
    }),
    { numRuns: 40 },
  );
});
