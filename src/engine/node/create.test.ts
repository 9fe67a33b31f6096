import { describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { encode, input, scale } from '../../graph/index.js';
import { chooseDevice, createEngine } from './create.js';
import { cudaAdvice, type ProbeDevice } from './devices.js';

const answering: ProbeDevice = async () => ({ speeds: [{ threads: 1, gflops: 9000 }] });
const silent: ProbeDevice = async () => ({ error: 'no GPU' });
const never: ProbeDevice = () => Promise.reject(new Error('asked for no reason'));

describe('chooseDevice', () => {
  it('takes named devices as they are', async () => {
    expect(await chooseDevice('cpu', { probe: never })).toBe('cpu');
    expect(await chooseDevice('webgpu', { probe: never })).toBe('webgpu');
    expect(await chooseDevice('cuda', { cudaInstalled: true, probe: never })).toBe('cuda');
  });

  it('picks CUDA by itself only where it is installed and answers', async () => {
    expect(await chooseDevice('auto', { cudaInstalled: true, probe: answering })).toBe('cuda');
    expect(await chooseDevice('auto', { cudaInstalled: true, probe: silent })).toBe('cpu');
    expect(await chooseDevice('auto', { cudaInstalled: false, probe: never })).toBe('cpu');
  });

  it('says how to install CUDA where it is asked for and missing', async () => {
    const choice = chooseDevice('cuda', { cudaInstalled: false });
    await expect(choice).rejects.toThrow(MeanfieldError);
    await expect(choice).rejects.toMatchObject({
      exitCode: 1,
      message: `The CUDA provider of ONNX Runtime is not installed. ${cudaAdvice()}`,
    });
  });
});

describe('createEngine', () => {
  it('gives an engine that computes', async () => {
    const engine = await createEngine('cpu');
    const session = await engine.compile(encode({ y: scale(input('x', [2]), 3) }, engine.target));
    expect([...(await session.run({ x: Float32Array.of(1, 2) })).y!]).toEqual([3, 6]);
    await session.dispose();
  });
});
