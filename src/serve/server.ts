import { messageOf } from '../base/errors.js';
import type { ServedModel } from '../inference/completions/completion.js';
import { HttpError } from './http/http-error.js';
import { listen, portOf } from './http/listen.js';
import { Shelf } from './models/shelf.js';
import type { ServerParts } from './parts.js';

/** A server that runs. */
export interface ApiServer {
  readonly url: string;
  readonly port: number;
  /** How many requests were answered. */
  readonly requests: number;
  /** Resolves when it is closed. */
  readonly ended: Promise<void>;
  /** What the first model can be asked, once it is open. @throws what its opening failed with */
  first(): Promise<ServedModel['tasks']>;
  /** Takes no more requests, lets those that run end, and closes the models. */
  close(): Promise<void>;
}

/**
 * Serves models over HTTP.
 *
 * @throws MeanfieldError when the port is taken, before any model is opened
 */
export async function startServer(parts: ServerParts): Promise<ApiServer> {
  const { log = () => {}, tell = () => {}, models } = parts;
  let warming = false;
  let begun = () => {};
  const shelf = new Shelf(models, parts.memoryBytes, (event) => {
    tell(event);
    if (event.type === 'opening') begun();
    if (event.type === 'opened') void answering.then(({ metrics }) => metrics.opened(event.model, event.seconds));
    if (event.type === 'failed' && !warming) log(`${event.model}: ${messageOf(event.error)}`);
  });
  const open = async () => {
    warming = true;
    try {
      const { model, release } = await shelf.lease(models[0]!.name);
      release();
      return model.tasks;
    } catch (error) {
      // Whoever starts the server may know why.
      throw error instanceof HttpError ? (error.cause ?? error) : error;
    } finally {
      warming = false;
    }
  };
  const server = await listen((request, response) => {
    // None comes before this function goes on.
    void answering.then(({ answer }) => answer(request, response));
  }, parts);
  const opening = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = parts.warm ? open() : undefined;
  const answering = (async () => {
    // The thread that opens it works beside the loading of what answers.
    if (first) await Promise.race([opening, first]).catch(() => {});
    return (await import('./answering.js')).createAnswering(parts, shelf);
  })();
  const { app, metrics } = await answering.catch(async (error: unknown) => {
    server.close();
    await shelf.close();
    throw error;
  });
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
    first: () => first ?? open(),
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
