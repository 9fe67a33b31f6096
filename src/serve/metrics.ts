import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ServedModel } from '../inference/completions/completion.js';

/** Seconds from the first millisecond of a small model to the minutes of a long text. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Milliseconds between two looks at how late the event loop is. */
const LOOP_MS = 5;

/** Seconds since a time of `performance.now()`. */
export const seconds = (since: number): number => (performance.now() - since) / 1000;

/** The metrics of a server, as Prometheus reads them. */
export interface ServeMetrics {
  request(route: string, status: number, seconds: number): void;
  firstToken(model: string, seconds: number): void;
  promptTokens(model: string, tokens: number, cached: number): void;
  writtenTokens(model: string, tokens: number): void;
  opened(model: string, seconds: number): void;
  /** The text exposition format, version 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

/** @param now asked at each scrape for what is so then */
export function createServeMetrics(
  now: () => { readonly models: readonly ServedModel[]; readonly requests: number },
): ServeMetrics {
  const book = new Registry();
  const registers = [book];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter({ name: `meanfield_serve_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge({ name: `meanfield_serve_${name}`, help, labelNames, registers });
  const histogram = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Histogram({ name: `meanfield_serve_${name}`, help, labelNames, registers, buckets: BUCKETS });

  const requests = counter('requests_total', 'Requests that ended, by route and status.', ['route', 'status']);
  const requestTime = histogram('request_seconds', 'Time from a request to the end of its answer.', ['route']);
  const firstTime = histogram('first_token_seconds', 'Time from a request to the first piece of its text.', ['model']);
  const prompt = counter('prompt_tokens_total', 'Tokens of prompts.', ['model']);
  const cached = counter('cached_tokens_total', 'Tokens of prompts that were in the cache.', ['model']);
  const written = counter('written_tokens_total', 'Tokens that were written.', ['model']);
  const openings = counter('model_openings_total', 'Times that a model was opened.', ['model']);
  const openTime = gauge('model_opening_seconds', 'Time that the last opening of a model took.', ['model']);
  const open = gauge('models_open', 'Models that are open.');
  const current = gauge('requests_current', 'Requests that are being answered.');
  const running = gauge('texts_running', 'Texts that are being written or read.', ['model']);
  const waiting = gauge('texts_waiting', 'Texts that wait for a place.', ['model']);
  const kept = gauge('cache_tokens', 'Tokens whose keys and values are kept.', ['model']);
  const delay = gauge('event_loop_delay_p99_seconds', 'How late the event loop was, p99 since the last scrape.');

  const loop = monitorEventLoopDelay({ resolution: LOOP_MS });
  loop.enable();
  const refresh = () => {
    const { models, requests: count } = now();
    open.set(models.length);
    current.set(count);
    for (const each of [running, waiting, kept]) each.reset();
    for (const model of models) {
      const load = model.load();
      running.set({ model: model.name }, load.running);
      waiting.set({ model: model.name }, load.waiting);
      kept.set({ model: model.name }, load.cachedTokens);
    }
    // What is measured is the time between two looks, which has the time that is meant to lie between them in it.
    const p99 = (loop.percentile(99) / 1e6 - LOOP_MS) / 1000;
    delay.set(loop.count > 0 ? Math.max(0, p99) : 0);
    loop.reset();
  };
  return {
    contentType: book.contentType,
    request: (route, status, time) => {
      requests.inc({ route, status: String(status) });
      requestTime.observe({ route }, time);
    },
    firstToken: (model, time) => firstTime.observe({ model }, time),
    promptTokens: (model, tokens, ofCache) => {
      prompt.inc({ model }, tokens);
      cached.inc({ model }, ofCache);
    },
    writtenTokens: (model, tokens) => written.inc({ model }, tokens),
    opened: (model, time) => {
      openings.inc({ model });
      openTime.set({ model }, time);
    },
    text: async () => {
      refresh();
      return book.metrics();
    },
    close: () => loop.disable(),
  };
}
