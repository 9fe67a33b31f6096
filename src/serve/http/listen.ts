import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { MeanfieldError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { asSystemError } from '../../base/system-errors.js';
import { HttpError } from './http-error.js';

/** Where to listen. */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** PEM: the server speaks HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** Times within which a connection has to do its part, in milliseconds. */
const TIMES = {
  /** From its beginning to the end of the headers: connections that say nothing are closed. */
  headersTimeout: 20_000,
  /** To the end of the body. */
  requestTimeout: 60_000,
  /** Between two requests. */
  keepAliveTimeout: 20_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 32_768,
} as const;

/** @throws MeanfieldError when the port is taken or not allowed, or the certificate is none */
export async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  { host, port, tls }: ListenOptions,
): Promise<Server> {
  const server = tls === undefined ? createServer(TIMES, answer) : secureServer(tls, answer);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen({ host, port, backlog: 2048 }, resolve);
  });
  return server;
}

function secureServer(
  tls: { readonly cert: string; readonly key: string },
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  try {
    return createSecureServer({ ...TIMES, ...tls }, answer);
  } catch (error) {
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `Cannot speak HTTPS with this ${option('cert')} and ${option('key')}: ${(error as Error).message}. Expected PEM files that belong together.`,
      { cause: error },
    );
  }
}

/** The port that a server has. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** What is no HTTP, too large or too slow gets an error like any other. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, `The headers are too large: ${TIMES.maxHeaderSize} bytes are allowed.`]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'The request did not come in time.']
        : [400, 'This is no request of HTTP/1.1.'];
  const body = JSON.stringify(new HttpError(status as number, message as string).body);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status as number]}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): unknown {
  if (error.code === 'EADDRINUSE')
    return spelledError(
      MeanfieldError,
      ({ option }) => `Port ${port} is taken by another program. Give another ${option('port')}, or 0 for any.`,
    );
  if (error.code === 'EACCES')
    return spelledError(
      MeanfieldError,
      ({ option }) => `Port ${port} is not allowed to this user. Give ${option('port')} one above 1023.`,
    );
  return asSystemError(error, `listen on ${host}:${port}`);
}
