import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'tsdown';

export const executablePath = process.env.MEANFIELD_CHROMIUM ?? '/usr/bin/chromium';
const root = new URL('../../', import.meta.url).pathname;
const runtime = join(root, 'node_modules/onnxruntime-web/dist');

/**
 * Whether browser tests can run. With MEANFIELD_REQUIRE_BROWSER=1 they always do, so a missing browser fails them.
 */
export const browserThere = process.env.MEANFIELD_REQUIRE_BROWSER === '1' || existsSync(executablePath);

/** A page in headless Chromium with `train.ts` and `write.ts` of `test/browser/pages` loaded, and how to close all of it. */
export interface OpenPage {
  readonly page: Page;
  close(): Promise<void>;
}

/** The URL of ONNX Runtime's files on the test's server. */
export const runtimeFiles = '/ort/';

/** The URL of the models' folders on the test's server. */
export const modelFiles = '/models/';

/**
 * @param isolated serves the page with the headers that allow shared memory
 * @param models a folder whose files are served below {@link modelFiles}
 */
export async function openPage({ isolated = true, args = [] as string[], models = '' } = {}): Promise<OpenPage> {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-page-'));
  let server: Server | undefined;
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await bundle(folder);
    server = await serve({ [runtimeFiles]: runtime, ...(models && { [modelFiles]: models }), '/': folder }, isolated);
    browser = await chromium.launch({
      executablePath,
      args: [
        '--headless',
        '--no-sandbox',
        ...(args.length > 0 ? args : ['--disable-gpu']),
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    });
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => 'trainInPage' in globalThis && 'writeInPage' in globalThis);
    return { page, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function bundle(outDir: string): Promise<void> {
  await build({
    config: false,
    cwd: root,
    entry: { train: 'test/browser/pages/train.ts', write: 'test/browser/pages/write.ts' },
    outDir,
    format: 'esm',
    platform: 'browser',
    fixedExtension: false,
    deps: { alwaysBundle: [/.*/], onlyBundle: false },
    dts: false,
    logLevel: 'error',
  });
}

const types: Record<string, string> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** @param folders by the paths that they are served at, the longest first */
function serve(folders: Readonly<Record<string, string>>, isolated: boolean): Promise<Server> {
  const headers = isolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {};
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://127.0.0.1').pathname);
    if (path === '/') {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/html' });
      const scripts = ['train', 'write'].map((name) => `<script type="module" src="/${name}.js"></script>`);
      response.end(`<!doctype html><title>Meanfield</title>${scripts.join('')}`);
      return;
    }
    const [at, folder] = Object.entries(folders).find(([prefix]) => path.startsWith(prefix))!;
    const file = join(folder, path.slice(at.length));
    try {
      const body = await readFile(file);
      response.writeHead(200, { ...headers, 'Content-Type': types[extname(file)] ?? 'application/octet-stream' });
      response.end(body);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
