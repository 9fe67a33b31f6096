import type { z } from 'zod';
import type { Call } from './call.js';
import { firstOf } from './issues.js';

/** A route of the API: what it takes, what it answers, and how. */
export interface Endpoint<S extends z.ZodType = z.ZodType> {
  readonly method: 'get' | 'post';
  /** The first is the one that the document lists. */
  readonly paths: readonly string[];
  readonly summary: string;
  readonly body?: S;
  /** What it answers, for the document; where it streams also what an event is. */
  readonly answer: z.ZodType;
  readonly event?: z.ZodType;
  handle(call: Call<z.output<S>>): Promise<Response> | Response;
}

/** An endpoint with the type of its body known to its handler alone. */
export function endpoint<S extends z.ZodType>(definition: Endpoint<S>): Endpoint {
  return definition as unknown as Endpoint;
}

/**
 * A body as an endpoint takes it.
 *
 * @throws HttpError 400 that names the first parameter that is wrong, and what is allowed
 */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  throw firstOf(result.error, schema);
}
