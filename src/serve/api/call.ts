import type { ServedModel } from '../../inference/completions/completion.js';
import type { HttpError } from '../http/http-error.js';
import type { SseTiming } from '../http/sse.js';
import type { ServeMetrics } from '../metrics.js';
import type { Shelf } from '../models/shelf.js';

/** What every endpoint works with. */
export interface Service {
  readonly shelf: Shelf;
  readonly metrics: ServeMetrics;
  readonly timing: SseTiming;
  /** Tokens that a completion may have at most. */
  readonly maxTokens: number;
  /** Unix time of the start, in seconds. */
  readonly started: number;
  readonly version: string;
  /** For whoever runs the server. */
  log(message: string): void;
}

/** A request, as its endpoint sees it. */
export interface Call<B = unknown> {
  readonly service: Service;
  readonly body: B;
  /** The part of the path that names a model. */
  readonly name: string;
  /** Given when the client is gone, its time is up or the server ends. */
  readonly signal: AbortSignal;
  /** Who asks: by key, else by address. */
  readonly client: string;
  /** A model by the name that a request gives, which is held until the request is over. */
  model(name: string | undefined): Promise<ServedModel>;
  /** What a client is told of an error that a stream ends with. */
  failed(thrown: unknown): HttpError;
  /** A response that goes on after the handler has returned: the request is over when the stream is. */
  stream(events: AsyncIterator<object>): Response;
}
