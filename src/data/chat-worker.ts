// The entry of a thread that renders conversations by a template from outside (see chat/renderer.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../base/errors.js';
import { type ChatTemplate, type RenderTask, TemplateRun } from './chat/render.js';

const port = parentPort;
if (port === null) throw new Error('This file is started as a worker thread.');
let run: TemplateRun | undefined;
port.on('message', (tasks: readonly RenderTask[]) => {
  port.postMessage(
    tasks.map((task) => {
      try {
        run ??= new TemplateRun(workerData as ChatTemplate);
        return run.render(task);
      } catch (error) {
        return { fault: messageOf(error).slice(0, 500) };
      }
    }),
  );
});
