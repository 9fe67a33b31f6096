import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import packageFile from '../../package.json' with { type: 'json' };
import { messageOf } from '../base/errors.js';
import { LoopSlices } from '../base/loop-slices.js';
import { App } from './app.js';
import { HttpError } from './http/http-error.js';
import { ApiKeys } from './http/keys.js';
import { namesThisMachine, Origins } from './http/origins.js';
import { createServeMetrics, type ServeMetrics } from './metrics.js';
import type { Shelf } from './models/shelf.js';
import type { ServerParts } from './parts.js';

const PING_MS = 15_000;
const STALL_MS = 120_000;

/** What answers the requests of a server. */
export interface Answering {
  readonly app: App;
  readonly metrics: ServeMetrics;
  answer(request: IncomingMessage, response: ServerResponse): void;
}

/** Makes the API of a server. Its modules take a third of a second, in which the first model is opened: they are loaded after that has begun. */
export function createAnswering(parts: ServerParts, shelf: Shelf): Answering {
  const { log = () => {} } = parts;
  let app: App | undefined;
  const metrics = createServeMetrics(() => ({ models: shelf.open, requests: app?.requests ?? 0 }));
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
  const listener = getRequestListener((request, env) => hono.fetch(request, env as never), {
    // A program that serves is still its own.
    overrideGlobalObjects: false,
    errorHandler: (error) => {
      const { status, body } = new HttpError(400, `This is no request that can be answered: ${messageOf(error)}.`);
      return Response.json(body, { status });
    },
  });
  const requests = new LoopSlices(1);
  return { app, metrics, answer: (request, response) => requests.add(() => void listener(request, response)) };
}
