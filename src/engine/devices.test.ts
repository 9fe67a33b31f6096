import { describe, expect, it, vi } from 'vitest';
import { CUDA_INSTALL, type ProbeDevice, probeInChild, readProbe, reportDevices } from './devices.js';

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
    expect(cuda).toMatchObject({ device: 'cuda', available: false, hint: CUDA_INSTALL });
    expect(asked).toEqual(['cpu', 'webgpu']);
  });

  it('measures CUDA where it is installed', async () => {
    const reports = await reportDevices(async () => ({ speeds: [{ threads: 1, gflops: 7 }] }), true);
    expect(reports[2]).toMatchObject({ device: 'cuda', available: true, speeds: [{ threads: 1, gflops: 7 }] });
    expect(reports[2]).not.toHaveProperty('hint');
  });
});

describe('probeInChild', () => {
  it('measures the CPU in a process of its own', async () => {
    const probe = await probeInChild('cpu', [1]);
    expect(probe).toEqual({ speeds: [{ threads: 1, gflops: expect.any(Number) }] });
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
