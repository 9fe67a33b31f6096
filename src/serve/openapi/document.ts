import { z } from 'zod';
import packageFile from '../../../package.json' with { type: 'json' };
import type { Endpoint } from '../api/endpoint.js';

type Json = Readonly<Record<string, unknown>>;

const error = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

/** The API as OpenAPI 3.1 describes it, of the schemas that check it. */
export function openApiDocument(endpoints: readonly Endpoint[]): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Meanfield',
      version: packageFile.version,
      description: 'Models over HTTP, as meanfield serve does.',
    },
    servers: [{ url: '/' }],
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'Where the server was started with a key.' },
      },
      schemas: { Error: json(error, 'output') },
    },
    security: [{}, { key: [] }],
    paths: Object.fromEntries(
      endpoints.map((endpoint) => [pathOf(endpoint), { [endpoint.method]: operation(endpoint) }]),
    ),
  };
}

/** `/v1/models/{name}`. */
function pathOf({ paths }: Endpoint): string {
  return paths[0]!.replace(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
}

function operation(endpoint: Endpoint): Json {
  const { summary, body, answer, event, paths } = endpoint;
  const names = [...pathOf(endpoint).matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const also = paths.slice(1);
  return {
    summary,
    operationId: pathOf(endpoint)
      .replace(/^\/(?:v1\/)?/, '')
      .replace(/\W+/g, '_')
      .replace(/_$/, ''),
    ...(also.length > 0 && { description: `Also at ${also.join(', ')}.` }),
    ...(names.length > 0 && {
      parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    }),
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: json(body, 'input') } } } }),
    responses: {
      200: {
        description: 'The answer.',
        content: {
          [answer instanceof z.ZodString ? 'text/plain' : 'application/json']: { schema: json(answer, 'output') },
          ...(event && { 'text/event-stream': { schema: json(event, 'output') } }),
        },
      },
      default: {
        description: 'What went wrong.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function json(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
