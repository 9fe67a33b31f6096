import type { Engine } from '../../../src/engine/engine.js';
import { WebEngine, type WebOptions } from '../../../src/engine/web/engine.js';
import { type Learned, type Lesson, learn, Member } from './lesson.js';
import { type TimedSteps, timeSteps } from './timing.js';

/** What a test asks the page to do. */
export interface PageTask extends Lesson {
  readonly device: 'wasm' | 'webgpu';
  readonly web: WebOptions;
}

/** Of a lesson in the page, and how many buffers the GPU had after each step. */
export interface PageLearned extends Learned {
  readonly buffers: readonly number[];
}

declare global {
  var trainInPage: (task: PageTask) => Promise<PageLearned>;
  var timeInPage: (task: TimedSteps & Pick<PageTask, 'web'>) => ReturnType<typeof timeSteps>;
  var startInPage: (device: 'wasm' | 'webgpu', web: WebOptions) => Promise<string>;
  var member: { open(task: PageTask): Promise<void> } & Pick<Member, 'train' | 'take'>;
}

/** Buffers that the GPU has. The page's library types know no WebGPU. */
let buffers = 0;
type Method = (...given: unknown[]) => unknown;
const { GPUDevice, GPUBuffer } = globalThis as unknown as Record<string, { prototype: Record<string, Method> }>;
for (const [type, name, by] of [
  [GPUDevice, 'createBuffer', 1],
  [GPUBuffer, 'destroy', -1],
] as const) {
  if (!type) continue;
  const own = type.prototype[name]!;
  type.prototype[name] = function (this: unknown, ...given) {
    buffers += by;
    return own.apply(this, given);
  };
}

globalThis.trainInPage = async (task) => {
  const engine: Engine = await WebEngine.create(task.device, task.web);
  const counts: number[] = [];
  const learned = await learn(engine, task, () => counts.push(buffers));
  return { ...learned, buffers: counts };
};

globalThis.timeInPage = async (task) => timeSteps(await WebEngine.create('wasm', task.web), task);

globalThis.startInPage = (device, web) =>
  WebEngine.create(device, web).then(
    (engine) => engine.name,
    (error: Error) => `${error.name}: ${error.message}`,
  );

let opened: Member;
globalThis.member = {
  open: async (task) => {
    opened = await Member.open(await WebEngine.create(task.device, task.web), task);
  },
  train: (steps) => opened.train(steps),
  take: (parameters) => opened.take(parameters),
};
