import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { coordinate, ENDLESS, endLeftovers, resultOf, takePart } from './cluster.js';
import { jsonLines, meanfield, text, workFolder } from './command.js';

// Several processes a test, on machines that may have other work.
vi.setConfig({ testTimeout: 600_000 });

const at = workFolder();
endLeftovers();

beforeAll(async () => {
  await writeFile(at('good.txt'), text(20_000));
});

const ADAMW = ['--optimizer', 'adamw', '--heartbeat-timeout', '4'];

describe.skipIf(!natsThere)('workers whose model is on disk (skipped without nats-server)', () => {
  test('train over deaths of a worker and of the coordinator, and leave nothing behind', async () => {
    const coordinator = await coordinate(at('run'), at('good.txt'), ...ENDLESS, ...ADAMW, '--min-workers', '2');
    const join = (name: string, offload: string) =>
      takePart(coordinator.invitation, name, at('cache'), '--offload', offload);
    const [first, second] = [join('first', 'all'), join('second', 'moments')];
    await coordinator.said(/"type":"round".*"round":3,/);
    expect(await readdir(at('cache/offload'))).toHaveLength(2);
    first.child.kill('SIGKILL');
    await first.done;
    await coordinator.said(/"type":"member","worker":"first-\d","change":"left"/);
    const third = join('third', 'all');
    await coordinator.said(/"type":"round".*"workers":\[("second-\d","third-\d"|"third-\d","second-\d")\]/);
    // What the one that was killed had there is gone.
    expect(await readdir(at('cache/offload'))).toHaveLength(2);
    coordinator.child.kill('SIGKILL');
    const before = jsonLines(await coordinator.done).filter(({ type }) => type === 'round');
    const again = await coordinate(at('run'), '--resume');
    await again.said(/"type":"round"/);
    for (const { child } of [second, third]) expect(child.exitCode).toBeNull();
    again.child.kill('SIGINT');
    const outcome = await again.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    const after = jsonLines(outcome).filter(({ type }) => type === 'round');
    expect(Number(after.at(-1)!.step)).toBeGreaterThan(Number(before.at(-1)!.step));
    expect(Number(after.at(-1)!.loss)).toBeLessThan(Number(before[0]!.loss));
    for (const { done } of [second, third]) {
      const ended = await done;
      expect(ended.code, ended.stderr).toBe(0);
      expect(resultOf(ended)).toMatchObject({ ended: 'finished' });
    }
    expect(await readdir(at('cache/offload'))).toEqual([]);
  });

  test('refuses by name what is not trained layer by layer, and where there is no place for it', async () => {
    const coordinator = await coordinate(at('muon'), at('good.txt'), ...ENDLESS, '--moments', 'average');
    const worker = await takePart(coordinator.invitation, 'a', at('other'), '--offload', 'all').done;
    expect(worker.code).toBe(1);
    expect(worker.stdout + worker.stderr).toMatch(/--optimizer \(it has AdamW alone: adamw\), --moments \(/);
    const gpu = await meanfield('join', coordinator.invitation, '--offload', 'all', '--device', 'webgpu');
    expect([gpu.code, gpu.stderr]).toEqual([2, expect.stringContaining('trains on the CPU')]);
    const adamw = await coordinate(at('adamw'), at('good.txt'), ...ENDLESS, ...ADAMW);
    await mkdir(at('blocked'));
    await writeFile(at('blocked/offload'), 'a file, where the folder should be');
    const blocked = await takePart(adamw.invitation, 'b', at('blocked'), '--offload', 'all').done;
    expect(blocked.code).toBe(1);
    expect(blocked.stdout + blocked.stderr).toContain('blocked/offload');
    const little = await takePart(adamw.invitation, 'c', at('little'), '--offload', 'all', '--max-memory', '0.1').done;
    expect(little.stdout + little.stderr).toMatch(/for the exchange, and some to spare/);
  });
});
