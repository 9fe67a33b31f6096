import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exportModel } from '../../src/export/export-model.js';
import { loadModel } from '../../src/hub/load-model.js';
import { startTraining } from '../../src/local/train.js';
import { workFolder } from '../command.js';
import { logitsOf } from '../logits.js';
import { programPath, programsThere } from '../programs/programs.js';
import { browserThere, executablePath } from './page.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const at = workFolder();
const text = 'The king — “who’s there?” — is naïve. 12 ducats!\n';

/** Everything comes from this server: the library, ONNX Runtime's WASM and the model. */
const page = `<!doctype html><title>transformers.js</title>
<script type="importmap">{"imports":{
  "@huggingface/transformers":"/js/@huggingface/transformers/dist/transformers.web.js",
  "onnxruntime-web/webgpu":"/js/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs",
  "onnxruntime-common":"/js/onnxruntime-common/dist/esm/index.js",
  "@huggingface/jinja":"/js/@huggingface/jinja/dist/index.js",
  "@huggingface/tokenizers":"/js/@huggingface/tokenizers/dist/tokenizers.mjs"
}}</script>`;

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

function serve(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://127.0.0.1').pathname);
    if (path === '/') {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(page);
      return;
    }
    const file = path.startsWith('/js/') ? programPath(path.slice(4)) : join(at('.'), path.replace('/models/', ''));
    try {
      const body = await readFile(file);
      const headers = {
        'Content-Type': types[extname(file)] ?? 'application/octet-stream',
        'Content-Length': body.length,
      };
      response.writeHead(200, headers).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

describe.skipIf(!programsThere || !browserThere)(
  'export --to onnx in Chromium (skipped without MEANFIELD_PROGRAMS or the browser)',
  () => {
    let server: Server;
    let browser: Browser;

    beforeAll(async () => {
      await writeFile(at('text.txt'), text.repeat(300));
      const sizes = { layers: 2, width: 32, heads: 4, context: 64, batchSize: 4, threads: 1, lr: 3e-3, steps: 60 };
      const data = { tokenizer: 'bpe', vocab: 300, corpus: [at('text.txt')] } as const;
      await startTraining({ ...sizes, ...data, model: 'gpt2', run: at('run') }).result;
      await exportModel(at('run'), { to: 'onnx', also: ['q8'], out: at('tiny') });
      server = await serve();
      browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
    });

    afterAll(async () => {
      await browser?.close();
      server?.close();
    });

    it.each(['fp32', 'q8'])('%s: transformers.js writes on WASM, from our own server alone', async (dtype) => {
      const { port } = server.address() as AddressInfo;
      const opened = await browser.newPage();
      const foreign: string[] = [];
      opened.on('request', (request) => {
        if (!request.url().startsWith(`http://127.0.0.1:${port}/`) && /^https?:/.test(request.url()))
          foreign.push(request.url());
      });
      await opened.goto(`http://127.0.0.1:${port}/`);
      // As text: the page's modules are none of this project's.
      const made: { prompt: number[]; tokens: number[]; logits: number[] } = await opened.evaluate(`(async () => {
        const { AutoModelForCausalLM, AutoTokenizer, env } = await import('@huggingface/transformers');
        env.allowRemoteModels = false;
        env.allowLocalModels = true;
        env.localModelPath = '/models/';
        env.useBrowserCache = false;
        env.backends.onnx.wasm.wasmPaths = '/js/onnxruntime-web/dist/';
        env.backends.onnx.wasm.numThreads = 1;
        const tokenizer = await AutoTokenizer.from_pretrained('tiny');
        const model = await AutoModelForCausalLM.from_pretrained('tiny', { dtype: '${dtype}', device: 'wasm' });
        const given = tokenizer('The king');
        const { logits } = await model(given);
        const made = await model.generate({ ...given, max_new_tokens: 12, min_new_tokens: 12, do_sample: false });
        const prompt = Array.from(given.input_ids.data, Number);
        const tokens = made.tolist()[0].map(Number).slice(prompt.length);
        return { prompt, tokens, logits: Array.from(logits.data.slice(-logits.dims[2])) };
      })()`);
      await opened.close();
      expect(foreign).toEqual([]);
      const loaded = await loadModel(at('run'));
      expect(made.prompt).toEqual([...loaded.tokenizer.encode('The king')]);
      expect(made.tokens).toHaveLength(12);
      const ours = await logitsOf(loaded, [...made.prompt, ...made.tokens.slice(0, -1)]);
      const first = ours[made.prompt.length - 1]!;
      const off = made.logits.reduce((most, x, i) => Math.max(most, Math.abs(x - first[i]!)), 0);
      expect(off).toBeLessThan(dtype === 'fp32' ? 1e-4 : 0.5);
      // Near ties apart, which of the rounded model are wider.
      for (const [i, token] of made.tokens.entries()) {
        const row = ours[made.prompt.length - 1 + i]!;
        expect(Math.max(...row) - row[token]!).toBeLessThan(dtype === 'fp32' ? 1e-3 : 0.5);
      }
    });
  },
);
