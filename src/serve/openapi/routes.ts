import type { Hono } from 'hono';
import type { Endpoint } from '../api/endpoint.js';
import { openApiDocument } from './document.js';
import { openApiPage } from './page.js';

/** The document of the API and its page, made when first asked for. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the app has beside them.
export function addDocument(app: Hono<any>, endpoints: readonly Endpoint[]): void {
  let made: ReturnType<typeof openApiDocument> | undefined;
  const document = () => {
    made ??= openApiDocument(endpoints);
    return made;
  };
  app.get('/openapi.json', (c) => c.json(document()));
  app.get('/docs', (c) =>
    c.html(openApiPage(document()), 200, {
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    }),
  );
}
