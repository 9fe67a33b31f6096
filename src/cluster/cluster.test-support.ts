import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffersOf } from '../base/threads/messages.js';
import { type TestData, testData } from '../local/local.test-support.js';
import type { TrainOptions } from '../run/options.js';
import { type Client, MemoryNetwork } from '../transport/memory-transport.test-support.js';
import { startCoordinator } from './coordinator/start.js';
import type { CoordinatorEvent, WorkerEvent } from './events.js';
import type { ModelCommands, ModelHandle } from './model-thread/commands.js';
import { CommittedModelThread } from './model-thread/thread.js';
import type { ClusterOptions } from './options.js';
import type { CoordinatorRun, WorkerOptions, WorkerRun } from './types.js';
import { startWorker } from './worker/start.js';

/** A model's thread that is the test's own. Messages are cloned and their arrays moved, as between threads. */
export function modelThreadHere(thread = new CommittedModelThread()): ModelHandle {
  const moved = <T>(message: T): T => structuredClone(message, { transfer: buffersOf(message) });
  const ask = async <K extends keyof ModelCommands>(
    name: K,
    input: ModelCommands[K][0],
    onStep?: Parameters<ModelHandle['ask']>[2],
  ): Promise<ModelCommands[K][1]> => moved(await thread.handle(name, moved(input), onStep));
  return {
    ask,
    cancel: () => thread.cancel(),
    close: async () => {
      thread.cancel();
      await thread.handle('close', null);
    },
  };
}

/** A coordinator under test and what it has told. */
export interface TestCoordinator {
  readonly run: CoordinatorRun;
  readonly events: CoordinatorEvent[];
  readonly client: () => Client;
  /** As if its process had been killed: nothing that it does counts any more. */
  kill(): Promise<void>;
}

export interface TestWorker {
  readonly run: WorkerRun;
  readonly events: WorkerEvent[];
  kill(): void;
}

/** A run of a tiny model over a network in memory. */
export class TestCluster {
  readonly network = new MemoryNetwork();
  readonly folder: string;
  readonly #started: (CoordinatorRun | WorkerRun)[] = [];

  private constructor(
    readonly data: TestData,
    private readonly train: Partial<TrainOptions>,
    private readonly cluster: ClusterOptions,
  ) {
    this.folder = join(data.folder, 'run');
  }

  static async create(train: Partial<TrainOptions> = {}, cluster: ClusterOptions = {}): Promise<TestCluster> {
    return new TestCluster(await testData(8000), train, cluster);
  }

  coordinator(resume = false, folder = this.folder, random?: () => number): TestCoordinator {
    let client: Client | undefined;
    const run = startCoordinator({
      train: {
        ...{
          corpus: [this.data.text],
          model: 'gpt2',
          tokenizer: 'chars',
          layers: 1,
          width: 16,
          heads: 2,
          context: 8,
          batchSize: 4,
        },
        ...{ steps: 20, syncEvery: 5, lr: 1e-2, warmup: 2, seed: 5, evalEvery: 1000, outer: 'nesterov' },
        ...this.train,
        run: folder,
        resume,
        force: true,
      },
      cluster: { heartbeatTimeout: 0.8, grace: 0.5, roundTimeout: 20, ...this.cluster },
      connect: async () => {
        const connection = this.network.connect();
        client = connection.transport;
        return connection;
      },
      startThread: () => modelThreadHere(),
      leaderTimeout: 250,
      ...(random && { random }),
    });
    this.#started.push(run);
    const events = collect(run);
    return {
      run,
      events,
      client: () => client!,
      kill: async () => {
        client?.cut();
        await run.result.catch(() => {});
      },
    };
  }

  worker(options: Partial<WorkerOptions> = {}): TestWorker {
    const door = this.network.door();
    const cache = join(this.data.folder, 'cache');
    const run = startWorker({ door, cache, threads: 1, startThread: () => modelThreadHere(), ...options });
    this.#started.push(run);
    const events = collect(run);
    return { run, events, kill: () => door.transport?.cut() };
  }

  async metrics(): Promise<Record<string, unknown>[]> {
    const text = await readFile(join(this.folder, 'metrics.jsonl'), 'utf8');
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async remove(): Promise<void> {
    for (const run of this.#started) 'leave' in run ? run.leave() : run.stop();
    await Promise.allSettled(this.#started.map((run) => run.result));
    await this.data.remove();
  }
}

function collect<T>(run: AsyncIterable<T>): T[] {
  const events: T[] = [];
  void (async () => {
    try {
      for await (const event of run) events.push(event);
    } catch {
      // The result says it.
    }
  })();
  return events;
}

/** Resolves with the first event of a type that a list gets. */
export async function event<T extends { readonly type: string }, K extends T['type']>(
  events: readonly T[],
  type: K,
  matches: (event: Extract<T, { type: K }>) => boolean = () => true,
): Promise<Extract<T, { type: K }>> {
  for (;;) {
    const found = events.find((one): one is Extract<T, { type: K }> => one.type === type && matches(one as never));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
