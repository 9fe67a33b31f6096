import { Worker } from 'node:worker_threads';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { Turns } from '../../base/turns.js';
import { workerFile } from '../../base/worker-file.js';
import type { ChatTemplate, RenderTask } from './render.js';
import type { RenderedChat } from './spans.js';

/** Milliseconds without an answer after which a template is held to be endless; some thousand are usual in one. */
const PATIENCE = 10_000;
/** Megabytes of the thread's objects. */
const MEMORY = 256;

/** What came of one of several tasks. */
export type RenderAnswer = RenderedChat | { readonly fault: string };

/**
 * Renders conversations by a model's template, which comes from outside: in a thread that has no environment, bounded
 * memory, and is ended when it does not answer.
 */
export class ChatRenderer {
  #worker: Worker | undefined;
  /** An answer does not say what it answers: the thread is asked one thing at a time. */
  readonly #turns = new Turns();

  constructor(
    private readonly template: ChatTemplate,
    private readonly patience = PATIENCE,
  ) {}

  /**
   * Renders some conversations; of several calls at once, one after another.
   *
   * @throws MeanfieldError when the template does not come to an end, or takes too much memory
   */
  async render(tasks: readonly RenderTask[]): Promise<RenderAnswer[]> {
    const end = await this.#turns.take();
    try {
      return await this.#render(tasks);
    } finally {
      end();
    }
  }

  async #render(tasks: readonly RenderTask[]): Promise<RenderAnswer[]> {
    const limits = { maxOldGenerationSizeMb: MEMORY, maxYoungGenerationSizeMb: 64 };
    this.#worker ??= new Worker(workerFile('chat-worker'), {
      workerData: this.template,
      env: {},
      resourceLimits: limits,
    });
    const worker = this.#worker;
    worker.ref();
    try {
      return await this.#answer(worker, tasks);
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      this.#worker?.unref();
    }
  }

  #answer(worker: Worker, tasks: readonly RenderTask[]): Promise<RenderAnswer[]> {
    return new Promise((resolve, reject) => {
      const fail = (why: string, cause?: unknown) => settle(() => reject(unusable(why, cause)));
      const heard = {
        message: (answers: RenderAnswer[]) => settle(() => resolve(answers)),
        error: (error: unknown) => {
          const memory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
          fail(memory ? `it takes more than ${MEMORY} MB` : messageOf(error), error);
        },
        exit: (code: number) => fail(`its thread ended with code ${code}`),
      };
      const seconds = Math.round(this.patience / 1000);
      const timer = setTimeout(() => fail(`it has not come to an end within ${seconds} s`), this.patience);
      const settle = (tell: () => void) => {
        clearTimeout(timer);
        for (const [event, listener] of Object.entries(heard)) worker.off(event, listener);
        tell();
      };
      for (const [event, listener] of Object.entries(heard)) worker.on(event, listener);
      worker.postMessage(tasks);
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    // One that ran out of memory may say so once more.
    worker?.on('error', () => {});
    await worker?.terminate();
  }
}

function unusable(why: string, cause?: unknown): MeanfieldError {
  return new MeanfieldError(
    `The chat template cannot be used: ${why}. Take the model's original chat_template.jinja or tokenizer_config.json.`,
    { cause },
  );
}
