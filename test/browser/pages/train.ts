import type { Engine } from '../../../src/engine/engine.js';
import { WebEngine, type WebOptions } from '../../../src/engine/web/engine.js';
import { type Lesson, trainLesson } from './lesson.js';

/** What a test asks the page to do. */
export interface PageTask extends Lesson {
  readonly device: 'wasm' | 'webgpu';
  readonly web: WebOptions;
}

declare global {
  var trainInPage: (task: PageTask) => Promise<number[]>;
  var startInPage: (device: 'wasm' | 'webgpu', web: WebOptions) => Promise<string>;
}

globalThis.trainInPage = async (task) => {
  const engine: Engine = await WebEngine.create(task.device, task.web);
  return trainLesson(engine, task);
};

globalThis.startInPage = (device, web) =>
  WebEngine.create(device, web).then(
    (engine) => engine.name,
    (error: Error) => `${error.name}: ${error.message}`,
  );
