import { z } from 'zod';
import { endpoint } from './endpoint.js';

/** `/health`: for whoever looks whether the server lives. */
export const health = endpoint({
  method: 'get',
  paths: ['/health', '/v1/health'],
  summary: 'Whether the server answers',
  answer: z.strictObject({ status: z.literal('ok') }),
  handle: () => Response.json({ status: 'ok' }),
});

/** `/metrics`: for Prometheus. */
export const metrics = endpoint({
  method: 'get',
  paths: ['/metrics'],
  summary: 'Figures for Prometheus',
  answer: z.string(),
  handle: async ({ service }) =>
    new Response(await service.metrics.text(), { headers: { 'content-type': service.metrics.contentType } }),
});
