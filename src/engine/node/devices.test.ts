import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { cudaAdvice, type ProbeDevice, probeInChild, readProbe, reportDevices } from './devices.js';

describe('reportDevices', () => {
  it('measures each device that is there, and says why another is not', async () => {
    const asked: unknown[] = [];
    const probe: ProbeDevice = async (device, threads) => {
      asked.push(device);
      return device === 'cpu'
        ? { speeds: threads.map((count) => ({ threads: count, gflops: 50 * count })) }
        : { error: 'cannot compile: /source.cc:136 status == 0 was false. Failed to get an adapter\n  at somewhere' };
    };
    const [cpu, webgpu, cuda] = await reportDevices(probe, false);
    expect(cpu).toMatchObject({ device: 'cpu', available: true, description: expect.stringMatching(/\d+ cores?$/) });
    expect(cpu!.speeds[0]).toEqual({ threads: 1, gflops: 50 });
    expect(webgpu).toEqual({
      device: 'webgpu',
      available: false,
      description: 'Failed to get an adapter',
      speeds: [],
    });
    expect(cuda).toMatchObject({ device: 'cuda', available: false, hint: cudaAdvice() });
    expect(asked).toEqual(['cpu', 'webgpu']);
  });

  it('measures CUDA where it is installed', async () => {
    const reports = await reportDevices(async () => ({ speeds: [{ threads: 1, gflops: 7 }] }), true);
    expect(reports[2]).toMatchObject({ device: 'cuda', available: true, speeds: [{ threads: 1, gflops: 7 }] });
    expect(reports[2]).not.toHaveProperty('hint');
  });
});

describe('cudaAdvice', () => {
  it('names a script that is there', () => {
    const [, path] = /node (\S+\.js) --onnxruntime-node-install=cuda12$/.exec(cudaAdvice(undefined, 'linux-x64'))!;
    expect(existsSync(path!)).toBe(true);
  });

  it('names it where pnpm puts it, and as one word', () => {
    const pnpm = join(process.cwd(), 'node_modules/.pnpm/onnxruntime-node@1.30.0/node_modules/onnxruntime-node');
    expect(cudaAdvice(pnpm, 'linux-x64')).toBe(
      'Run once, where it may download:\n  node node_modules/.pnpm/onnxruntime-node@1.30.0/node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12',
    );
    expect(cudaAdvice('/opt/my tools/onnxruntime-node', 'linux-x64')).toContain(
      'node "/opt/my tools/onnxruntime-node/script/install.js" ',
    );
  });

  it('sends nobody to a download that is not there', () => {
    expect(cudaAdvice(undefined, 'darwin-arm64')).toBe(
      'There is one for linux-x64 alone, and this is darwin-arm64: take cpu or webgpu.',
    );
  });
});

describe('probeInChild', () => {
  it('measures the CPU in a process of its own', async () => {
    const probe = await probeInChild('cpu', [1]);
    const cost = { milliseconds: expect.any(Number), bytes: expect.any(Number) };
    expect(probe).toEqual({ speeds: [{ threads: 1, gflops: expect.any(Number) }], step: { copied: cost } });
    if ('error' in probe) throw new Error(probe.error);
    const [speed] = probe.speeds;
    // Between a slow emulator and the fastest core there is; outside, the unit would be wrong.
    expect(speed!.gflops).toBeGreaterThan(0.1);
    expect(speed!.gflops).toBeLessThan(2000);
  });

  it('outlives a device that is not there, and says why', async () => {
    vi.stubEnv('VK_ICD_FILENAMES', '/nowhere');
    vi.stubEnv('VK_DRIVER_FILES', '/nowhere');
    const probe = await probeInChild('webgpu', [1]);
    vi.unstubAllEnvs();
    // Where a GPU answers in spite of that, it was measured.
    if ('speeds' in probe) expect(probe.speeds[0]!.gflops).toBeGreaterThan(0);
    else expect(probe.error).toMatch(/webgpu|its test/);
  });
});

describe('readProbe', () => {
  it('takes what the measuring process prints and nothing else', () => {
    expect(readProbe('{"error":"no GPU"}')).toEqual({ error: 'no GPU' });
    for (const text of ['', 'null', '7', '{}', '{"speeds":7}', '{"speeds":[', 'Segmentation fault']) {
      expect(readProbe(text), text).toBeUndefined();
    }
  });
});
