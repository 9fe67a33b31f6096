import type { IncomingMessage, ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import type { ServedModel } from '../inference/completions/completion.js';
import type { Call, Service } from './api/call.js';
import { type Endpoint, parseBody } from './api/endpoint.js';
import { ENDPOINTS } from './api/index.js';
import { readJson } from './http/body.js';
import { Clients } from './http/clients.js';
import { asHttpError, FINAL, HttpError, wrongParameter } from './http/http-error.js';
import type { ApiKeys } from './http/keys.js';
import { namesThisMachine, type Origins } from './http/origins.js';
import { requestId } from './http/request-id.js';
import { sendEvents } from './http/sse.js';
import { seconds } from './metrics.js';
import type { ModelLease } from './models/shelf.js';
import { addDocument } from './openapi/routes.js';
import { addPage } from './page.js';

/** What guards the API. */
export interface Guards {
  readonly keys: ApiKeys;
  readonly origins: Origins;
  /** Whether the server listens on this machine alone. */
  readonly loopback: boolean;
  /** Requests that a client may have running. */
  readonly clientRequests: number;
  readonly bodyBytes: number;
  /** A request is given up after so long. */
  readonly requestMs: number;
}

/** Routes that are open to all: they tell nothing of what is served. */
const OPEN = new Set(['/health', '/v1/health']);

interface Env {
  Bindings: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };
}

/** The API of a server, and the requests that run. */
export class App {
  readonly hono = new Hono<Env>();
  readonly #clients: Clients;
  readonly #running = new Set<AbortController>();
  #idle: (() => void)[] = [];
  #stopping = false;
  /** Requests that were answered, whatever the answer. */
  answered = 0;

  constructor(
    private readonly service: Service,
    private readonly guards: Guards,
  ) {
    this.#clients = new Clients(guards.clientRequests);
    const { hono } = this;
    hono.use(async (c, next) => {
      const { origin } = c.req.header() as { origin?: string };
      c.header('x-request-id', requestId(c.req.header('x-request-id')));
      if (origin !== undefined && guards.origins.allows(origin)) allow(c, origin);
      if (c.req.method === 'OPTIONS') return c.body(null, 204);
      await next();
    });
    for (const endpoint of ENDPOINTS)
      for (const path of endpoint.paths)
        hono.on(endpoint.method.toUpperCase(), path, (c) => this.#answer(endpoint, path, c));
    addDocument(hono, ENDPOINTS);
    addPage(hono);
    hono.notFound((c) => {
      const methods = ENDPOINTS.filter(({ paths }) => paths.includes(c.req.path)).map(({ method }) =>
        method.toUpperCase(),
      );
      if (methods.length > 0)
        return told(
          c,
          new HttpError(405, `${c.req.path} answers ${methods.join(', ')}.`, {
            headers: { allow: methods.join(', ') },
          }),
        );
      return told(
        c,
        new HttpError(404, `There is no ${c.req.method} ${c.req.path.slice(0, 200)} here.`, { code: 'not_found' }),
      );
    });
    hono.onError((error, c) => told(c, asHttpError(error)));
  }

  /** Requests that are being answered. */
  get requests(): number {
    return this.#running.size;
  }

  /** Refuses what comes from now on, and lets what runs end; after so long that is given up. */
  async drain(ms: number): Promise<void> {
    this.#stopping = true;
    if (this.#running.size === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    const timer = setTimeout(() => {
      for (const running of this.#running) running.abort(new HttpError(503, 'The server is stopping.', STOPPING));
    }, ms);
    await idle;
    clearTimeout(timer);
  }

  async #answer(endpoint: Endpoint, route: string, c: Context<Env>): Promise<Response> {
    const began = performance.now();
    const abort = new AbortController();
    const leases: ModelLease[] = [];
    const cleanup: (() => void)[] = [];
    let status = 200;
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      for (const work of cleanup) work();
      for (const { release } of leases) release();
      this.#running.delete(abort);
      this.answered++;
      this.service.metrics.request(route, status, seconds(began));
      if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    };
    const failed = (thrown: unknown) => {
      const error = asHttpError(abortReason(abort.signal) ?? thrown, () => this.#retrySeconds());
      ({ status } = error);
      if (error.status >= 500 && error.cause !== undefined) this.#log(c, route, error);
      return error;
    };
    try {
      this.#running.add(abort);
      const client = this.#admit(endpoint, c);
      cleanup.push(this.#clients.enter(client));
      cleanup.push(this.#watch(c, abort));
      const body = endpoint.body && parseBody(endpoint.body, await readJson(c.env.incoming, this.guards.bodyBytes));
      let streaming = false;
      const call: Call = {
        service: this.service,
        body,
        name: c.req.param('name') ?? '',
        signal: abort.signal,
        client: clientOf(client, body),
        model: async (name) => {
          const lease = await this.service.shelf.lease(name ?? this.#only());
          // Whoever waited for it to be opened may be gone.
          if (over) lease.release();
          else leases.push(lease);
          return lease.model;
        },
        failed,
        stream: (events) => {
          streaming = true;
          const { outgoing } = c.env;
          outgoing.writeHead(200, Object.fromEntries(c.body(null, 200, EVENT_STREAM).headers));
          void sendEvents(events, this.service.timing, outgoing, (gone) => {
            if (gone) {
              status = 499;
              abort.abort(GONE);
            }
            end();
          });
          return RESPONSE_ALREADY_SENT;
        },
      };
      const response = await endpoint.handle(call);
      if (streaming) return response;
      end();
      for (const [name, value] of response.headers) c.header(name, value);
      return c.body(response.body as ReadableStream, 200);
    } catch (thrown) {
      const error = failed(thrown);
      end();
      return told(c, error);
    }
  }

  /** Who asks, where they may. */
  #admit({ paths }: Endpoint, c: Context<Env>): string {
    const { keys, origins, loopback } = this.guards;
    if (this.#stopping) throw new HttpError(503, 'The server is stopping.', STOPPING);
    if (!origins.allows(c.req.header('origin')))
      throw new HttpError(
        403,
        'Pages of this origin may not ask. Whoever runs the server can let them: meanfield serve --origin ORIGIN.',
        {
          code: 'origin_not_allowed',
        },
      );
    if (loopback && !keys.wanted && !namesThisMachine(c.req.header('host')))
      throw new HttpError(403, 'This server answers to localhost and 127.0.0.1 alone.', { code: 'host_not_allowed' });
    const address = c.env.incoming.socket.remoteAddress ?? 'unknown';
    if (!keys.wanted || paths.some((path) => OPEN.has(path))) return address;
    const number = keys.numberOf(c.req.header('authorization'));
    if (number === undefined)
      throw new HttpError(401, 'This server wants a key: send the header Authorization: Bearer KEY.', {
        code: 'invalid_api_key',
        headers: { 'www-authenticate': 'Bearer' },
      });
    return `key ${number}`;
  }

  /** Gives a request up when its client is gone or its time is over. */
  #watch(c: Context<Env>, abort: AbortController): () => void {
    const { outgoing } = c.env;
    const gone = () => abort.abort(GONE);
    if (outgoing.destroyed) gone();
    outgoing.once('close', gone);
    const { requestMs } = this.guards;
    const timer = setTimeout(() => {
      const message = `The answer took longer than the ${requestMs / 1000} s that this server gives a request.`;
      abort.abort(new HttpError(504, message, { code: 'timeout', headers: FINAL }));
    }, requestMs);
    return () => {
      outgoing.off('close', gone);
      clearTimeout(timer);
    };
  }

  /** The model that is meant where a single one is served. */
  #only(): string {
    const names = this.service.shelf.entries.map(({ name }) => name);
    if (names.length === 1) return names[0]!;
    const list = names.slice(0, 10).map((name) => `"${name}"`);
    throw wrongParameter('model', `Missing parameter: model: one of ${list.join(', ')}.`, 'missing_parameter');
  }

  /** When a busy server is worth asking again: sooner where little waits. */
  #retrySeconds(): number {
    const load = this.service.shelf.open.map((model: ServedModel) => model.load());
    const waiting = load.reduce((sum, each) => sum + each.waiting, 0);
    const running = load.reduce((sum, each) => sum + each.running, 0);
    return Math.min(60, Math.max(1, Math.ceil(waiting / Math.max(1, running))));
  }

  #log(c: Context<Env>, route: string, { cause }: HttpError): void {
    const what = cause instanceof Error ? cause.message : String(cause);
    this.service.log(`${route} (request ${c.res.headers.get('x-request-id')}): ${what}`);
  }
}

const EVENT_STREAM = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};

const STOPPING = { code: 'stopping', headers: { connection: 'close', 'retry-after': '5' } } as const;

/** Made once: most of what an error costs is where it came from, which nobody reads here. */
const GONE = new DOMException('The client is gone.', 'AbortError');

/** Why a request was given up, where that is to be told. */
function abortReason({ aborted, reason }: AbortSignal): HttpError | undefined {
  return aborted && reason instanceof HttpError ? reason : undefined;
}

/** Turns are fair between clients: behind one address, or key, between those that it names. */
function clientOf(client: string, body: unknown): string {
  const { user } = (body ?? {}) as { user?: unknown };
  return typeof user === 'string' ? `${client} ${user}` : client;
}

function told(c: Context<Env>, { status, body, headers }: HttpError): Response {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return c.json(body, status as 400);
}

/** Lets a page of a browser read the answer; what it wants to send is allowed as it asks. */
function allow(c: Context<Env>, origin: string): void {
  c.header('access-control-allow-origin', origin);
  c.header('vary', 'Origin');
  c.header('access-control-expose-headers', 'x-request-id, retry-after');
  if (c.req.method !== 'OPTIONS') return;
  c.header('access-control-allow-methods', 'GET, POST, OPTIONS');
  c.header('access-control-allow-headers', c.req.header('access-control-request-headers') ?? '*');
  c.header('vary', 'Origin, Access-Control-Request-Headers');
  c.header('access-control-max-age', '86400');
  if (c.req.header('access-control-request-private-network') === 'true')
    c.header('access-control-allow-private-network', 'true');
}
