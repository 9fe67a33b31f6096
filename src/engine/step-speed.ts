import {
  add,
  concat,
  encode,
  gemm,
  gradients,
  input,
  mul,
  type Program,
  reduceSum,
  reshape,
  scale,
  split,
  sub,
  type Target,
  tanh,
} from '../graph/index.js';
import { bestTime } from './best-time.js';
import type { DeviceArray, Engine, HostArrays } from './engine.js';

const ROWS = 64;
const WIDTH = 512;
const LAYERS = 4;
/** Of the network that {@link measureSteps} trains. */
export const STEP_PARAMETERS = LAYERS * WIDTH * WIDTH;

/** What a step took, at best. */
export interface StepCost {
  readonly milliseconds: number;
  /** That crossed between this process and the device. */
  readonly bytes: number;
}

/** A step whose vectors are fed and read at every run, and one whose vectors stay on the device where it can keep them. */
export interface StepCosts {
  readonly copied: StepCost;
  readonly resident?: StepCost;
}

/** A step of gradient descent with momentum on a network of a few square layers: what a device does in training, made small. */
export function traceStep(target: Target): Program {
  const size = STEP_PARAMETERS;
  const [parameters, momentum] = [input('parameters', [size]), input('momentum', [size])];
  const layers = split(
    parameters,
    0,
    Array.from({ length: LAYERS }, () => WIDTH * WIDTH),
  ).map((layer) => reshape(layer, [WIDTH, WIDTH]));
  const x = input('x', [ROWS, WIDTH]);
  const y = layers.reduce((rows, layer) => tanh(gemm(rows, layer)), x);
  const error = sub(y, x);
  const loss = scale(reduceSum(mul(error, error), [0, 1]), 1 / (ROWS * WIDTH));
  const gradient = concat(
    gradients(loss, layers).map((part) => reshape(part, [WIDTH * WIDTH])),
    0,
  );
  const moved = add(scale(momentum, 0.9), gradient);
  return encode({ loss, parameters_out: sub(parameters, scale(moved, 0.1)), momentum_out: moved }, target);
}

/**
 * Measures both kinds of step, about a second each.
 *
 * @param now milliseconds of a steady clock
 * @throws MeanfieldError when the device cannot be used
 */
export async function measureSteps(engine: Engine, now: () => number = () => performance.now()): Promise<StepCosts> {
  const program = traceStep(engine.target);
  const start = Float32Array.from({ length: STEP_PARAMETERS }, (_, i) => ((i * 7919) % 201) / 2000 - 0.05);
  const x = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => ((i % 13) - 6) / 6);
  const { memory } = engine;

  const session = await engine.compile(program);
  let host: HostArrays = { parameters: start, momentum: new Float32Array(STEP_PARAMETERS) };
  const copied = await bestTime(now, async () => {
    const { parameters_out, momentum_out } = await session.run({ ...host, x });
    host = { parameters: parameters_out!, momentum: momentum_out! };
  });
  await session.dispose();
  const bytes = (names: ReadonlyMap<string, { readonly shape: readonly number[] }>) =>
    [...names.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 4), 0);
  const crossed = { milliseconds: copied, bytes: bytes(program.inputs) + bytes(program.outputs) };
  if (!memory) return { copied: crossed };

  const resident = await memory.compile(program, ['parameters_out', 'momentum_out']);
  let kept: { readonly parameters: DeviceArray; readonly momentum: DeviceArray } = {
    parameters: await memory.upload(start),
    momentum: await memory.upload(new Float32Array(STEP_PARAMETERS)),
  };
  let before = memory.traffic;
  const milliseconds = await bestTime(now, async () => {
    before = memory.traffic;
    const { parameters_out, momentum_out } = (await resident.run({ ...kept, x })).kept;
    kept.parameters.dispose();
    kept.momentum.dispose();
    kept = { parameters: parameters_out!, momentum: momentum_out! };
  });
  const after = memory.traffic;
  kept.parameters.dispose();
  kept.momentum.dispose();
  await resident.dispose();
  return {
    copied: crossed,
    resident: { milliseconds, bytes: after.toDevice - before.toDevice + after.toHost - before.toHost },
  };
}
