import { afterEach, describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { type MetricsServer, serveMetrics } from './server.js';

const metrics = { contentType: 'text/plain; version=0.0.4; charset=utf-8', text: async () => 'a 1\n' };
let server: MetricsServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

describe('the metrics server', () => {
  it('gives the metrics, with the type that Prometheus expects', async () => {
    server = await serveMetrics(metrics, 0);
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics?name=x`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(metrics.contentType);
    expect(await response.text()).toBe('a 1\n');
    expect(server.url).toBe(`http://localhost:${server.port}/metrics`);
  });

  it('refuses other paths and methods', async () => {
    server = await serveMetrics(metrics, 0);
    const other = await fetch(`http://127.0.0.1:${server.port}/`);
    expect([other.status, await other.text()]).toEqual([404, 'The metrics are at /metrics.\n']);
    expect((await fetch(`http://127.0.0.1:${server.port}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  it('answers 500 when the metrics cannot be made, and lives on', async () => {
    let fail = true;
    const text = async () => {
      if (fail) throw new Error('broken');
      return 'b 2\n';
    };
    server = await serveMetrics({ ...metrics, text }, 0);
    expect((await fetch(`http://127.0.0.1:${server.port}/metrics`)).status).toBe(500);
    fail = false;
    expect((await fetch(`http://127.0.0.1:${server.port}/metrics`)).status).toBe(200);
  });

  it('says what to do when the port is taken', async () => {
    server = await serveMetrics(metrics, 0);
    const second = serveMetrics(metrics, server.port);
    await expect(second).rejects.toThrow(MeanfieldError);
    await expect(second).rejects.toThrow(/Port \d+ is taken by another program\. Give another `metricsPort`/);
  });

  it('closes although a scraper keeps its connection', async () => {
    server = await serveMetrics(metrics, 0);
    await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { connection: 'keep-alive' } });
    await server.close();
    await expect(fetch(`http://127.0.0.1:${server.port}/metrics`)).rejects.toThrow();
    server = undefined;
  });
});
