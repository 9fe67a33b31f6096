import { z } from 'zod';
import type { Service } from './call.js';
import { endpoint } from './endpoint.js';

const served = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  parent: z.string().nullable(),
  loaded: z.boolean(),
  /** Known once it is loaded. */
  max_model_len: z.int().nullable(),
  tasks: z.array(z.string()).nullable(),
});

function told({ shelf, started }: Service, name: string): z.output<typeof served> {
  const { parent } = shelf.entry(name);
  const open = shelf.opened(name);
  return {
    id: name,
    object: 'model',
    created: started,
    owned_by: 'meanfield',
    parent: parent ?? null,
    loaded: open !== undefined,
    max_model_len: open?.context ?? null,
    tasks: open === undefined ? null : [...open.tasks],
  };
}

/** `/v1/models`. */
export const models = endpoint({
  method: 'get',
  paths: ['/v1/models'],
  summary: 'What is served',
  answer: z.strictObject({ object: z.literal('list'), data: z.array(served) }),
  handle: ({ service }) =>
    Response.json({ object: 'list', data: service.shelf.entries.map(({ name }) => told(service, name)) }),
});

/** `/v1/models/NAME`; a name of the hub has a slash. */
export const model = endpoint({
  method: 'get',
  paths: ['/v1/models/:name{.+}'],
  summary: 'A model that is served',
  answer: served,
  handle: ({ service, name }) => Response.json(told(service, name)),
});
