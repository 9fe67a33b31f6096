import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Env, Hono } from 'hono';

/** Where the build puts the page, beside the code. */
const BUILT = fileURLToPath(new URL('./web/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** It asks nobody but this server, and no other page may hold it. */
const GUARDS = {
  'content-security-policy':
    "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/**
 * The page at `/`, which is open to all: it asks for a key where the API wants one. Its files are read once, so that no path
 * is ever looked up. Code that was not built has none.
 */
export function addPage<E extends Env>(hono: Hono<E>, folder = BUILT): void {
  if (!existsSync(folder)) return;
  for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    const name = path.slice(folder.length).replaceAll('\\', '/');
    const content = readFileSync(path);
    // Names of all but the page itself change with what they hold.
    const kept = name === 'index.html' ? 'no-cache' : 'public, max-age=31536000, immutable';
    const headers = {
      ...GUARDS,
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'cache-control': kept,
    };
    hono.get(name === 'index.html' ? '/' : `/${name}`, (c) => c.body(content, 200, headers));
  }
}
