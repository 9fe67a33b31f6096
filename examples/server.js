// Serves a model over HTTP, as it writes: node examples/server.js [RUN] [PORT], then
// curl -N 'http://127.0.0.1:8080/?prompt=ROMEO:'
// Requests wait for their turn; one whose reader hangs up frees its place.
import { createServer } from 'node:http';
import { load, MeanfieldError, UsageError } from 'meanfield';

const [run = 'runs/example', port = '8080'] = process.argv.slice(2);
const model = await load(run);

const server = createServer(async (request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const reader = new AbortController();
  response.on('close', () => reader.abort());
  try {
    const text = model.generate({
      prompt: searchParams.get('prompt') ?? '',
      maxTokens: Number(searchParams.get('tokens') ?? 200),
      stop: searchParams.getAll('stop'),
      signal: reader.signal,
    });
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
    for await (const piece of text) response.write(piece);
    response.end();
  } catch (error) {
    // An unknown character in the prompt or a wrong number is the reader's fault; its message says what is allowed.
    if (!response.headersSent) response.statusCode = error instanceof UsageError ? 400 : 422;
    response.end(error instanceof MeanfieldError ? `${error.message}\n` : 'failed\n');
    if (!(error instanceof MeanfieldError)) console.error(error);
  }
});
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  console.log(`listening on http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    await model.close();
  });
}
