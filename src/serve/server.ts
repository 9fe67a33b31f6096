import { getRequestListener } from '@hono/node-server';
import packageFile from '../../package.json' with { type: 'json' };
import { messageOf } from '../base/errors.js';
import type { ServedModel } from '../inference/completions/completion.js';
import { App } from './app.js';
import { HttpError } from './http/http-error.js';
import { ApiKeys } from './http/keys.js';
import { type ListenOptions, listen, portOf } from './http/listen.js';
import { namesThisMachine, Origins } from './http/origins.js';
import { createServeMetrics } from './metrics.js';
import { Shelf, type ShelfEntry, type ShelfEvent } from './models/shelf.js';

/** What a server is made of. */
export interface ServerParts extends ListenOptions {
  readonly models: readonly ShelfEntry[];
  /** Bytes of memory for models that are open. */
  readonly memoryBytes: number;
  readonly apiKeys: readonly string[];
  readonly origins: readonly string[];
  readonly maxTokens: number;
  readonly clientRequests: number;
  readonly maxBody: number;
  readonly timeLimitMs: number;
  readonly drainMs: number;
  /** Milliseconds between two looks at runs that are followed; left out: none is. */
  readonly followMs?: number | undefined;
  readonly pingMs?: number;
  readonly stallMs?: number;
  /** Hears what whoever runs the server should know. */
  readonly log?: (message: string) => void;
  readonly tell?: (event: ShelfEvent) => void;
}

/** A server that runs. */
export interface ApiServer {
  readonly url: string;
  readonly port: number;
  /** How many requests were answered. */
  readonly requests: number;
  /** Resolves when it is closed. */
  readonly ended: Promise<void>;
  /** Opens a model before it is asked for, and tells what it can be asked. */
  warm(name: string): Promise<ServedModel['tasks']>;
  /** Takes no more requests, lets those that run end, and closes the models. */
  close(): Promise<void>;
}

const PING_MS = 15_000;
const STALL_MS = 120_000;

/**
 * Serves models over HTTP.
 *
 * @throws MeanfieldError when the port is taken
 */
export async function startServer(parts: ServerParts): Promise<ApiServer> {
  const { log = () => {}, tell = () => {} } = parts;
  let app: App | undefined;
  let warming = false;
  const metrics = createServeMetrics(() => ({ models: shelf.open, requests: app?.requests ?? 0 }));
  const shelf = new Shelf(parts.models, parts.memoryBytes, (event) => {
    tell(event);
    if (event.type === 'opened') metrics.opened(event.model, event.seconds);
    if (event.type === 'failed' && !warming) log(`${event.model}: ${messageOf(event.error)}`);
  });
  const service = {
    ...{ shelf, metrics, log, maxTokens: parts.maxTokens },
    timing: { pingMs: parts.pingMs ?? PING_MS, stallMs: parts.stallMs ?? STALL_MS },
    started: Math.floor(Date.now() / 1000),
    version: `meanfield-${packageFile.version}`,
  };
  const keys = new ApiKeys(parts.apiKeys);
  app = new App(service, {
    keys,
    origins: new Origins(parts.origins, keys.wanted),
    loopback: namesThisMachine(parts.host.includes(':') ? `[${parts.host}]` : parts.host),
    clientRequests: parts.clientRequests,
    bodyBytes: parts.maxBody,
    requestMs: parts.timeLimitMs,
  });
  const { hono } = app;
  const answer = getRequestListener((request, env) => hono.fetch(request, env as never), {
    // A program that serves is still its own.
    overrideGlobalObjects: false,
    errorHandler: (error) => {
      const { status, body } = new HttpError(400, `This is no request that can be answered: ${messageOf(error)}.`);
      return Response.json(body, { status });
    },
  });
  const server = await listen((request, response) => void answer(request, response), parts);
  const timer = parts.followMs === undefined ? undefined : setInterval(() => void shelf.follow(), parts.followMs);
  timer?.unref();
  const port = portOf(server);
  const name = parts.host === '0.0.0.0' || parts.host === '::' ? 'localhost' : parts.host;
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    ended,
    get requests() {
      return app.answered;
    },
    url: `http${parts.tls ? 's' : ''}://${name.includes(':') ? `[${name}]` : name}:${port}`,
    port,
    warm: async (name) => {
      warming = true;
      try {
        const { model, release } = await shelf.lease(name);
        release();
        return model.tasks;
      } catch (error) {
        // Whoever starts the server may know why.
        throw error instanceof HttpError ? (error.cause ?? error) : error;
      } finally {
        warming = false;
      }
    },
    close: async () => {
      clearInterval(timer);
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await app.drain(parts.drainMs);
      // The last answers go out; what keeps a connection without a request would keep the process.
      await new Promise(setImmediate);
      server.closeIdleConnections();
      const last = setTimeout(() => server.closeAllConnections(), 1000);
      await closed;
      clearTimeout(last);
      metrics.close();
      await shelf.close();
      end();
    },
  };
}
