import { readFileSync } from 'node:fs';
import { z } from 'zod';

const schemas: { readonly kinds: Readonly<Record<string, string>>; readonly $defs: object } = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/kubernetes/schemas.json', import.meta.url), 'utf8'),
);

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

const kinds = new Map(
  Object.entries(schemas.kinds).map(([kind, name]) => {
    return [kind, z.fromJSONSchema({ $ref: `#/$defs/${name}`, $defs: schemas.$defs } as JsonSchema)];
  }),
);

/** What the official schemas of Kubernetes, with unknown fields refused, find wrong with an object; empty: nothing. */
export function objections(manifest: unknown): string[] {
  const kind = (manifest as { kind?: unknown } | null)?.kind;
  const schema = kinds.get(String(kind));
  if (!schema) return [`no schema for ${kind}`];
  const { error } = schema.safeParse(manifest);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}
