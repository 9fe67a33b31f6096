// A page in which a model writes: node examples/web.js [RUN] [PORT], then open http://127.0.0.1:8080/
// All is computed in the page: this server hands over files alone. It needs the package onnxruntime-web.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [run = 'runs/example', port = '8080'] = process.argv.slice(2);
const folders = {
  model: join(run, 'model'),
  meanfield: dirname(fileURLToPath(import.meta.resolve('meanfield/web'))),
  onnxruntime: dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm')),
};
const imports = { 'meanfield/web': '/meanfield/web.js', 'onnxruntime-web/wasm': '/onnxruntime/ort.wasm.min.mjs' };
const page = `<!doctype html><meta charset="utf-8"><title>Meanfield</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<p>The model is loaded.</p><pre></pre>
<script type="module">
  import { load } from 'meanfield/web';
  const tell = (text) => { document.querySelector('p').textContent = text; };
  try {
    const model = await load('/model', { runtime: '/onnxruntime/' });
    tell('It writes.');
    const text = model.generate({ prompt: 'ROMEO:', maxTokens: 300 });
    for await (const piece of text) document.querySelector('pre').append(piece);
    tell((await text.result()).tokensPerSecond.toFixed(1) + ' tokens a second');
  } catch (error) {
    tell(error.message);
  }
</script>`;
const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const [, folder, name = ''] = pathname.split('/');
  const html = { 'Content-Type': 'text/html' };
  if (pathname === '/') return response.writeHead(200, html).end(page);
  const bytes = await readFile(join(folders[folder] ?? '.', basename(name))).catch(() => undefined);
  if (!Object.hasOwn(folders, folder) || !bytes) return response.writeHead(404).end();
  return response.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream' }).end(bytes);
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
