import type { ExchangeSpec } from './spec.js';

/** What goes between a worker and each reducer, and how long the reducer sums. */
export interface ExchangeSizes {
  readonly reducers: number;
  /** Bytes between a worker and the i-th reducer. */
  readonly contribution: (reducer: number) => number;
  readonly result: (reducer: number) => number;
  readonly sumSeconds: (reducer: number) => number;
}

/** The sizes of an exchange: shards go round the reducers in turn. */
export function sizesOf(spec: ExchangeSpec): ExchangeSizes {
  const { workers, parameters, shards, bytesPerParameter, resultBytesPerParameter = bytesPerParameter } = spec;
  const reducers = Math.min(workers, shards);
  const elements = (reducer: number) => (Math.floor((shards - 1 - reducer) / reducers + 1) * parameters) / shards;
  return {
    reducers,
    contribution: (reducer) => elements(reducer) * bytesPerParameter,
    result: (reducer) => elements(reducer) * resultBytesPerParameter,
    // The others are added as they come; the last one's elements, as fp32, are what is waited for.
    sumSeconds: (reducer) => (elements(reducer) * 4) / (spec.sumRate ?? 4e9),
  };
}

/**
 * 3·latency + max((W − 1)·c/down, R·c/up) + sum + max((W − 1)·c′/up, R·c′/down) for R reducers and contributions and
 * results of c and c′ bytes to each: the reducer's line or the worker's own, whichever is narrower, there and back.
 */
export function exchangeClosedForm(spec: ExchangeSpec, size: ExchangeSizes): number | null {
  const { lines, spread = 0, latency = 0, workers } = spec;
  const line = lines.length === 1 && spread === 0 ? lines[0]! : null;
  if (!line) return null;
  const others = (reducers: number) => Math.max(1, Math.min(reducers, workers - 1));
  const way = (bytes: number, reducer: number, worker: number) =>
    Math.max(((workers - 1) * bytes) / reducer, (others(size.reducers) * bytes) / worker);
  return (
    3 * latency +
    way(size.contribution(0), line.down, line.up) +
    size.sumSeconds(0) +
    way(size.result(0), line.up, line.down)
  );
}
