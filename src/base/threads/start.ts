import { Worker } from 'node:worker_threads';
import { MeanfieldError, messageOf, UsageError } from '../errors.js';
import type { LoopSlices } from '../loop-slices.js';
import { buffersOf, type FromThread, type ToThread } from './messages.js';

/** What a thread can be asked for, by name: argument and answer. */
type CommandMap<C> = { readonly [K in keyof C]: readonly [unknown, unknown] } & {
  readonly close: readonly [null, null];
};

/** A thread that carries out commands, as the driver sees it. `S`: what it tells of each step of `train`. */
export interface Handle<C extends CommandMap<C>, S> {
  /**
   * Carries out a command. The arrays in the input are moved.
   *
   * @param onStep hears of each step of `train`
   */
  ask<K extends keyof C>(name: K, input: C[K][0], onStep?: (step: S) => void): Promise<C[K][1]>;
  /** Ends `train` after the step in progress. */
  cancel(): void;
  /** Ends the thread after the commands asked before. Never fails. */
  close(): Promise<void>;
}

interface Waiting<S> {
  readonly resolve: (output: never) => void;
  readonly reject: (error: unknown) => void;
  readonly onStep: ((step: S) => void) | undefined;
}

/** A thread that was started, whose end can be waited for. */
export interface StartedThread<C extends CommandMap<C>, S> extends Handle<C, S> {
  /** Comes when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

/**
 * Starts a thread of commands. It is never terminated from outside: that would abort the process during a run.
 *
 * @param what it is, for messages
 * @param slices when what the thread tells is heard; left out, at once
 */
export function startThread<C extends CommandMap<C>, S>(
  file: URL,
  what = "A replica's thread",
  slices?: LoopSlices,
): StartedThread<C, S> {
  const worker = new Worker(file);
  // What it told before it ended is heard before that.
  const inTurn = (work: () => void) => (slices ? slices.add(work) : work());
  const waiting = new Map<number, Waiting<S>>();
  let nextId = 0;
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      inTurn(() => {
        fail(new MeanfieldError(`${what} ended with code ${code}.`));
        resolve();
      });
    });
  });
  worker.on('error', (error) => {
    inTurn(() => fail(new MeanfieldError(`${what} failed: ${messageOf(error)}.`, { cause: error })));
  });
  const hear = (message: FromThread<S>) => {
    const entry = waiting.get(message.id);
    if (!entry) return;
    if ('step' in message) return entry.onStep?.(message.step);
    waiting.delete(message.id);
    if ('output' in message) entry.resolve(message.output as never);
    else entry.reject(revive(message.error));
  };
  worker.on('message', (told: FromThread<S> | readonly FromThread<S>[]) => {
    for (const message of [told].flat()) inTurn(() => hear(message));
  });
  const ask: Handle<C, S>['ask'] = (name, input, onStep) =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(failure);
      const id = nextId++;
      waiting.set(id, { resolve, reject, onStep });
      worker.postMessage({ id, name, input }, buffersOf(input));
    });
  return {
    ask,
    ended,
    cancel: () => worker.postMessage({ name: 'cancel' } satisfies ToThread),
    close: async () => {
      await ask('close', null).catch(() => {});
      await ended;
    },
  };
}

function revive({ message, stack, forUser, usage }: Extract<FromThread<never>, { error: unknown }>['error']): Error {
  const error = usage ? new UsageError(message) : forUser ? new MeanfieldError(message) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
