import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Random } from '../src/base/random.js';
import type { TrainEvent, TrainResult } from '../src/run/events.js';
import type { TrainOptions } from '../src/run/options.js';
import { buildTrainer } from './build-trainer.js';
import { kill } from './child.js';

/** How a training process ended: its events, and its result or the error's message. */
export interface Outcome {
  readonly events: readonly TrainEvent[];
  readonly result?: TrainResult;
  readonly error?: string;
  /** Undefined when it was killed. */
  readonly exitCode: number | null;
}

/** A training process under way. */
export interface Training {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Fulfilled at the first such event; never if there is none. */
  event(type: TrainEvent['type'], step?: number): Promise<TrainEvent>;
}

/** Trains a tiny model on a short real text, in processes of its own. */
export class Trainer {
  private constructor(
    readonly folder: string,
    private readonly script: string,
    private readonly removeScript: () => Promise<void>,
  ) {}

  static async create(): Promise<Trainer> {
    const folder = await mkdtemp(join(tmpdir(), 'meanfield-train-'));
    const { script, remove } = await buildTrainer();
    const source = new URL('../examples/tinyshakespeare.txt', import.meta.url);
    await writeFile(join(folder, 'text.txt'), (await readFile(source, 'utf8')).slice(0, 30_000));
    return new Trainer(folder, script, remove);
  }

  async remove(): Promise<void> {
    await this.removeScript();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The path of a run by name. */
  path(run: string): string {
    return join(this.folder, run);
  }

  /** Small enough for a step to take a few milliseconds. */
  options(run: string, changes: Partial<TrainOptions> = {}): TrainOptions {
    return {
      corpus: [join(this.folder, 'text.txt')],
      run: this.path(run),
      tokenizer: 'chars',
      layers: 2,
      width: 32,
      heads: 2,
      context: 16,
      batchSize: 4,
      threads: 1,
      steps: 40,
      evalEvery: 10,
      syncEvery: 5,
      keep: 100,
      ...changes,
    };
  }

  start(run: string, changes: Partial<TrainOptions> = {}): Training {
    const child = spawn(process.execPath, [this.script, JSON.stringify(this.options(run, changes))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const events: TrainEvent[] = [];
    const watchers: ((event: TrainEvent) => void)[] = [];
    let [result, error]: [TrainResult | undefined, string | undefined] = [undefined, undefined];
    const lines = createInterface({ input: child.stdout! });
    lines.on('line', (line) => {
      let message: TrainEvent | TrainResult | { type: 'error'; message: string };
      try {
        message = JSON.parse(line);
      } catch {
        // A kill may tear the last line.
        return;
      }
      if (message.type === 'result') result = message;
      else if (message.type === 'error') error = message.message;
      else {
        events.push(message);
        for (const watch of watchers) watch(message);
      }
    });
    const outcome = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(([[exitCode]]) => ({
      events,
      exitCode: exitCode as number | null,
      ...(result && { result }),
      ...(error !== undefined && { error }),
    }));
    const event: Training['event'] = (type, step = 0) =>
      new Promise((resolve) => {
        const matches = (one: TrainEvent) => one.type === type && (!('step' in one) || one.step >= step);
        const already = events.find(matches);
        if (already) return resolve(already);
        watchers.push((one) => matches(one) && resolve(one));
      });
    return { process: child, outcome, event };
  }

  train(run: string, changes: Partial<TrainOptions> = {}): Promise<Outcome> {
    return this.start(run, changes).outcome;
  }

  /**
   * Trains, killed three times with -9: at any time, up to so many milliseconds, after the first checkpoint, and then after
   * some progress beyond the last.
   *
   * @returns how the last process ended, which nobody killed
   */
  async trainKilled(run: string, changes: Partial<TrainOptions>, within: number): Promise<Outcome> {
    const random = new Random(Date.now());
    let resume = false;
    for (let kills = 0; kills < 3; kills++) {
      const training = this.start(run, { ...changes, resume });
      const from = await training.event('started');
      await training.event('checkpoint', ('step' in from ? from.step : 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, random.below(within)));
      await kill(training.process);
      resume = true;
    }
    return this.train(run, { ...changes, resume });
  }

  /** What a run's `metrics.jsonl` tells of the model, without times, speeds and memory. */
  async metrics(run: string): Promise<unknown[]> {
    const text = await readFile(join(this.path(run), 'metrics.jsonl'), 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const {
          tokens_per_second: _s,
          eta_seconds: _e,
          memory_bytes: _m,
          peak_memory_bytes: _p,
          ...rest
        } = JSON.parse(line);
        return rest;
      });
  }

  /** The loss of every step. */
  async losses(run: string): Promise<number[]> {
    return (await this.metrics(run)).flatMap((line) => (line as { losses?: number[] }).losses ?? []);
  }
}
