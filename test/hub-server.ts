import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file of a repository. */
interface Stored {
  readonly bytes: Buffer;
  readonly lfs: boolean;
}

/** A request that came in. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** Answers in place of the hub, where it wants to; true when it has. */
export type Hostile = (request: IncomingMessage, response: ServerResponse, path: string) => boolean | undefined;

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const gitSha1 = (bytes: Buffer) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** A hub of the tests' own, which speaks the routes of huggingface.co that we ask, with a store of large files beside it. */
export class HubServer {
  readonly asked: Asked[] = [];
  /** Of the store of large files. */
  readonly storeAsked: Asked[] = [];
  readonly repositories = new Map<string, Map<string, Stored>>();
  /** Branches that were made, and commits as they came, by `org/name`. */
  readonly branches: string[] = [];
  readonly created: Record<string, unknown>[] = [];
  readonly commits: { readonly branch: string; readonly lines: Record<string, unknown>[] }[] = [];
  readonly uploads = new Map<string, Buffer>();
  /** Files a page of a list holds. */
  page = 3;
  hostile: Hostile | undefined;
  hostileStore: Hostile | undefined;
  #hub!: Server;
  #store!: Server;

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    server.#hub = await listen((...args) => server.#answer(...args));
    server.#store = await listen((...args) => server.#answerStore(...args));
    return server;
  }

  get endpoint(): string {
    return addressOf(this.#hub);
  }

  /** Puts files into a repository; those of more than a few bytes are large ones. */
  put(name: string, files: Readonly<Record<string, Uint8Array | string>>, lfs = /\.safetensors$/): void {
    const stored = this.repositories.get(name) ?? new Map<string, Stored>();
    this.repositories.set(name, stored);
    for (const [path, content] of Object.entries(files))
      stored.set(path, { bytes: Buffer.from(content), lfs: lfs.test(path) });
  }

  /** The commit that a repository is at. */
  commit(name: string): string {
    const files = [...(this.repositories.get(name) ?? [])].map(([path, { bytes }]) => path + sha256(bytes));
    return createHash('sha1').update(files.join()).digest('hex');
  }

  reset(): void {
    this.hostile = this.hostileStore = undefined;
    for (const list of [this.asked, this.storeAsked, this.branches, this.created, this.commits]) list.length = 0;
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.endpoint);
    const path = decodeURIComponent(url.pathname);
    this.asked.push(record(request));
    if (this.hostile?.(request, response, path)) return;
    const body = await bodyOf(request);
    if (request.method === 'POST') return json(response, this.#post(path, body, response));
    const [, name = '', rest = ''] = /^(?:\/api\/models)?\/([^/]+\/[^/]+)(\/.*)$/.exec(path) ?? [];
    const files = this.repositories.get(name);
    const fail = (status: number, code: string, error: string) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'x-error-code': code,
        'x-error-message': error,
      });
      response.end(JSON.stringify({ error }));
    };
    if (!files) return fail(401, 'RepoNotFound', 'Invalid username or password.');
    const commit = this.commit(name);
    const [, kind, revision, file] = /^\/(revision|tree|resolve)\/(.+?)(?:\/(.*))?$/.exec(rest) ?? [];
    if (!['main', 'v1', commit].includes(revision ?? '')) return fail(404, 'RevisionNotFound', 'Invalid rev id: x');
    if (kind === 'revision')
      return json(response, { _id: '1', id: name, sha: commit, lastModified: '2026-01-01T00:00:00Z' });
    if (kind === 'tree') return this.#tree(files, url, response);
    const found = files.get(file ?? '');
    if (!found) return fail(404, 'EntryNotFound', 'Entry not found');
    response.setHeader('x-repo-commit', commit);
    response.setHeader('etag', `"${gitSha1(found.bytes)}"`);
    if (found.lfs) {
      response.setHeader('x-linked-etag', `"${sha256(found.bytes)}"`);
      response.setHeader('x-linked-size', found.bytes.length);
      response.writeHead(302, { location: `${addressOf(this.#store)}/${sha256(found.bytes)}` });
      response.end();
    } else send(found.bytes, request, response);
  }

  #tree(files: ReadonlyMap<string, Stored>, url: URL, response: ServerResponse): void {
    const all = [...files].map(([path, { bytes, lfs }]) => ({
      ...{ type: 'file', path, size: bytes.length, oid: gitSha1(bytes) },
      ...(lfs && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
    }));
    const first = Number(url.searchParams.get('cursor') ?? 0);
    const next = new URL(url);
    next.searchParams.set('cursor', String(first + this.page));
    if (first + this.page < all.length) response.setHeader('link', `<${next}>; rel="next"`);
    json(response, all.slice(first, first + this.page));
  }

  /** The answer. */
  #post(path: string, body: Buffer, response: ServerResponse): object {
    const text = body.toString('utf8');
    if (path === '/api/repos/create') {
      const wanted = JSON.parse(text);
      const name = `${wanted.organization}/${wanted.name}`;
      this.created.push(wanted);
      if (this.repositories.has(name)) {
        response.statusCode = 409;
        return { error: 'You already created this model repo' };
      }
      this.repositories.set(name, new Map());
      return { url: `${this.endpoint}/${name}`, id: '1' };
    }
    const [, name = '', what, branch = ''] =
      /^(?:\/api\/models)?\/([^/]+\/[^/.]+)(?:\.git)?\/(branch|preupload|info|commit)\/(.*)$/.exec(path) ?? [];
    if (what === 'branch') {
      this.branches.push(branch);
      return {};
    }
    if (what === 'preupload') {
      const { files } = JSON.parse(text) as { files: { path: string }[] };
      const uploadMode = (file: string) => (/\.safetensors$/.test(file) ? 'lfs' : 'regular');
      return { files: files.map((file) => ({ path: file.path, uploadMode: uploadMode(file.path) })) };
    }
    if (what === 'info') {
      const { objects } = JSON.parse(text) as { objects: { oid: string; size: number }[] };
      const href = (oid: string) => `${addressOf(this.#store)}/${oid}`;
      return {
        transfer: 'basic',
        objects: objects.map(({ oid, size }) => ({ oid, size, actions: { upload: { href: href(oid) } } })),
      };
    }
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    this.commits.push({ branch, lines });
    for (const { key, value } of lines) {
      if (key === 'file') this.put(name, { [value.path]: Buffer.from(value.content, value.encoding) });
      if (key === 'lfsFile') this.put(name, { [value.path]: this.uploads.get(value.oid)! });
    }
    return { commitOid: this.commit(name), commitUrl: `${this.endpoint}/${name}`, hookOutput: '' };
  }

  async #answerStore(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.storeAsked.push(record(request));
    const oid = request.url!.slice(1);
    if (this.hostileStore?.(request, response, oid)) return;
    if (request.method === 'PUT') {
      this.uploads.set(oid, await bodyOf(request));
      response.end();
      return;
    }
    for (const files of this.repositories.values())
      for (const { bytes } of files.values()) if (sha256(bytes) === oid) return send(bytes, request, response);
    response.writeHead(404).end();
  }
}

function record(request: IncomingMessage): Asked {
  const { authorization, range } = request.headers;
  return { method: request.method!, url: request.url!, authorization, range };
}

/** A file, or the part of it that is asked for. */
export function send(bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from });
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(from));
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
