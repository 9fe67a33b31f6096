import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from './files/safetensors.js';
import { SafetensorsBytes } from './safetensors-bytes.js';
import { encodeSafetensors } from './safetensors-writer.js';

/** A file, and the same where it begins at an odd place of its memory. */
async function written(tensors: Parameters<typeof encodeSafetensors>[0]) {
  const parts: Uint8Array[] = [];
  for await (const part of encodeSafetensors(tensors)) parts.push(part.slice());
  const bytes = new Uint8Array(Buffer.concat(parts));
  const odd = new Uint8Array(bytes.length + 1);
  odd.set(bytes, 1);
  return { bytes, odd: odd.subarray(1) };
}

describe('SafetensorsBytes', () => {
  it('reads what SafetensorsFile reads', async () => {
    const path = fileURLToPath(new URL('../../test/fixtures/models/llama/model.safetensors', import.meta.url));
    const file = await SafetensorsFile.open(path);
    const bytes = new SafetensorsBytes(await readFile(path), path);
    expect([...bytes.tensors]).toEqual([...file.tensors]);
    for (const name of file.tensors.keys()) expect(bytes.float32(name)).toEqual(await file.readFloat32(name));
    await file.close();
  });

  it.each(['F16', 'BF16', undefined] as const)('widens %s, wherever the file lies in memory', async (rounded) => {
    const data = Float32Array.of(1, -2.5, 0.15625);
    const { bytes, odd } = await written([{ name: 'x', shape: [3], data, rounded }]);
    for (const one of [bytes, odd]) expect(new SafetensorsBytes(one, 'a file').float32('x')).toEqual(data);
  });

  it('refuses what is cut off, no such file, or not of floating point', async () => {
    const { bytes } = await written([{ name: 'x', shape: [2], data: Int32Array.of(1, 2) }]);
    expect(() => new SafetensorsBytes(bytes.subarray(0, -1), 'cut')).toThrow(
      /^cut is not a sound safetensors file: the/,
    );
    expect(() => new SafetensorsBytes(bytes.subarray(0, 7), 'cut')).toThrow('it has 7 bytes, at least 8 are needed');
    expect(() => new SafetensorsBytes(bytes.subarray(0, 20), 'cut')).toThrow(/its header claims \d+ bytes/);
    const gguf = new TextEncoder().encode(`GGUF${' '.repeat(60)}`);
    expect(() => new SafetensorsBytes(gguf, 'a file')).toThrow(/a file is no safetensors file but .*GGUF/);
    expect(() => new SafetensorsBytes(bytes, 'a file').float32('x')).toThrow('tensor x is I32, expected one of F32');
  });
});
