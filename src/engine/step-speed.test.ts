import { expect, it } from 'vitest';
import type { DeviceArray, Engine } from './engine.js';
import { NodeEngine } from './node/engine.js';
import { measureSteps, STEP_PARAMETERS, traceStep } from './step-speed.js';

it('measures the CPU, which has no memory of its own', async () => {
  const { copied, resident } = await measureSteps(new NodeEngine());
  expect(copied.milliseconds).toBeGreaterThan(0.1);
  // Two vectors and a batch go in, two vectors and a loss come out.
  expect(copied.bytes).toBe(4 * (4 * STEP_PARAMETERS + 64 * 512 + 1));
  expect(resident).toBeUndefined();
});

it('trains: its loss falls', async () => {
  const session = await new NodeEngine().compile(traceStep('cpu'));
  const x = Float32Array.from({ length: 64 * 512 }, (_, i) => ((i % 13) - 6) / 6);
  let parameters = Float32Array.from({ length: STEP_PARAMETERS }, (_, i) => ((i * 7919) % 201) / 2000 - 0.05);
  let momentum = new Float32Array(STEP_PARAMETERS);
  const losses: number[] = [];
  for (let step = 0; step < 5; step++) {
    const out = await session.run({ x, parameters, momentum });
    losses.push(out.loss![0] as number);
    [parameters, momentum] = [out.parameters_out as typeof parameters, out.momentum_out as typeof momentum];
  }
  await session.dispose();
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
});

it('counts the best run of a device, and what crossed in it', async () => {
  let clock = 0;
  const traffic = { toDevice: 0, toHost: 0 };
  let alive = 0;
  const array = (): DeviceArray => {
    alive++;
    return { type: { shape: [], dtype: 'float32' }, dispose: () => void alive-- };
  };
  const memory = {
    traffic,
    upload: async () => array(),
    compile: async () => ({
      run: async () => {
        clock += 40;
        traffic.toDevice += 10;
        traffic.toHost += 1;
        return { host: {}, kept: { parameters_out: array(), momentum_out: array() } };
      },
      dispose: async () => {},
    }),
  };
  const compile = async () => ({
    run: async () => {
      clock += 300;
      return {};
    },
    dispose: async () => {},
  });
  const fake = { name: 'fake', target: 'webgpu', views: false, memory, compile } as unknown as Engine;
  Object.defineProperty(memory, 'traffic', { get: () => ({ ...traffic }) });
  const { copied, resident } = await measureSteps(fake, () => clock);
  expect(copied.milliseconds).toBe(300);
  expect(resident).toEqual({ milliseconds: 40, bytes: 11 });
  expect(alive).toBe(0);
});
