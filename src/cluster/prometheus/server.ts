import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import type { ClusterMetrics } from './metrics.js';

/** A server that Prometheus scrapes. */
export interface MetricsServer {
  /** For people and for the configuration of Prometheus. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` on every interface of the machine: the figures hold no secret.
 *
 * @param port 0 takes one that is free
 * @throws MeanfieldError when the port is taken or not allowed
 */
export async function serveMetrics(
  metrics: Pick<ClusterMetrics, 'text' | 'contentType'>,
  port: number,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics.\n');
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else {
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${messageOf(error)}\n`),
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, port)));
    server.listen(port, resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `http://localhost:${taken}/metrics`,
    port: taken,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // A scraper keeps its connection, and would keep the process.
        server.closeAllConnections();
      }),
  };
}

function portError(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code === 'EADDRINUSE')
    return spelledError(
      MeanfieldError,
      ({ option }) => `Port ${port} is taken by another program. Give another ${option('metricsPort')}, or 0 for any.`,
    );
  if (error.code === 'EACCES')
    return spelledError(
      MeanfieldError,
      ({ option }) => `Port ${port} is not allowed to this user. Give ${option('metricsPort')} one above 1023.`,
    );
  return new MeanfieldError(`Cannot listen on port ${port} for metrics: ${error.message}.`, { cause: error });
}
