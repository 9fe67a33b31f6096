import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { UsageError } from '../../base/errors.js';
import { pathFault } from '../../base/files/path-fault.js';
import { optionIssues } from '../../base/option-issues.js';
import { schemaOf } from '../../base/option-schema.js';
import type { OptionsOf } from '../../base/option-table.js';
import { COMMAND_LINE } from '../../base/spelling.js';
import { entriesOf } from '../../serve/models/entries.js';
import type { ShelfEvent } from '../../serve/models/shelf.js';
import { SERVE_OPTIONS } from '../../serve/option-table.js';
import { type ApiServer, startServer } from '../../serve/server.js';
import { bringModel } from '../hub/bring-model.js';
import { pickOptions } from '../terminal/add-options.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { onInterrupt } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';

export type ServeFlags = OptionsOf<typeof SERVE_OPTIONS>;

/** Milliseconds between two looks at runs that are followed. */
const FOLLOW_MS = 2000;

/** Serves models until it is interrupted, which lets running requests end. */
export async function serveModels(models: readonly string[], flags: ServeFlags, context: Context): Promise<number> {
  const { output, closed } = context;
  const options = optionsOf(flags);
  const tls = await tlsOf(options);
  const apiKeys = keysOf(options.apiKey);
  const entries = entriesOf(models, {
    ...{ adapters: options.adapter, follow: options.follow, precision: options.precision },
    ...{ threads: options.threads, maxQueue: options.maxQueue, timeLimit: options.timeLimit * 1000 },
  });
  for (const model of models) if (!(await bringModel(model.replace(/^[^=]+=/, ''), context))) return INTERRUPTED;
  if (options.check) await (await import('./check-precision.js')).checkPrecision(models, options.precision, output);
  const server = await startServer({
    ...{ models: entries, warm: true, host: options.host, port: options.port, tls, apiKeys },
    memoryBytes: options.memory === undefined ? totalmem() / 2 : options.memory * 1e9,
    origins: options.origin ?? [],
    maxTokens: options.maxTokens ?? Number.POSITIVE_INFINITY,
    ...{ clientRequests: options.clientRequests, maxBody: options.maxBody },
    ...{ timeLimitMs: options.timeLimit * 1000, drainMs: options.drain * 1000 },
    ...(options.follow && { followMs: FOLLOW_MS }),
    log: (message) => output.note(`${message}\n`, 'warning'),
    tell: (event) => tellEvent(event, output),
  });
  const began = performance.now();
  const stopped = new Promise<void>((resolve) => {
    const interruption = onInterrupt(output, 'letting running requests end', resolve);
    closed.addEventListener('abort', () => resolve());
    void server.ended.then(() => interruption.release());
  });
  try {
    // So that the first answer is quick, and what is wrong with it is known now.
    const tasks = await server.first();
    tellStart(
      server,
      tasks,
      { names: entries.map(({ name }) => name), open: apiKeys.length === 0, host: options.host },
      output,
    );
    await stopped;
  } finally {
    await server.close();
  }
  const seconds = (performance.now() - began) / 1000;
  output.event({ type: 'result', url: server.url, requests: server.requests, seconds });
  output.note(`answered ${server.requests} requests\n`);
  return 0;
}

function optionsOf(flags: ServeFlags) {
  const result = schemaOf(SERVE_OPTIONS).safeParse(pickOptions(SERVE_OPTIONS, flags), { reportInput: true });
  if (result.success) return result.data;
  throw new UsageError(`Cannot serve: ${optionIssues(result.error, COMMAND_LINE)}. See meanfield serve --help.`);
}

/** Keys that were given, else that of the environment. */
function keysOf(given: readonly string[] | undefined): readonly string[] {
  const { MEANFIELD_API_KEY: fromEnvironment } = process.env;
  const keys = (given ?? (fromEnvironment ? [fromEnvironment] : [])).map((key) => key.trim());
  if (given !== undefined && (keys.length === 0 || keys.some((key) => key === '')))
    throw new UsageError('--api-key: no key was given. Expected a text, or @file with a key a line.');
  return keys;
}

async function tlsOf({ cert, key }: { readonly cert?: string | undefined; readonly key?: string | undefined }) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new UsageError('--cert and --key belong together: give both, or neither.');
  const read = async (option: string, file: string) => {
    const fault = await pathFault(file, 'file');
    if (fault !== undefined) throw new UsageError(`${option} ${file}: ${fault}.`);
    return readFile(file, 'utf8');
  };
  return { cert: await read('--cert', cert), key: await read('--key', key) };
}

function tellEvent(event: ShelfEvent, output: Output): void {
  // Those that fail are in the log, and those that are being opened are told when they are.
  if (event.type === 'failed' || event.type === 'opening') return;
  output.event(event);
  if (event.type === 'opened') {
    output.note(`opened ${event.model} in ${event.seconds.toFixed(1)} s\n`, 'dim');
    for (const notice of event.notices ?? []) output.note(`note: ${notice}\n`, 'warning');
  } else
    output.note(
      `closed ${event.model}: ${event.reason === 'newer' ? 'there is a newer one' : 'others want its memory'}\n`,
      'dim',
    );
}

type Tasks = Awaited<ReturnType<ApiServer['first']>>;

/** What a model can be asked first, by what it does: a path, and the body but for the model's name. */
const EXAMPLES: readonly (readonly [route: string, body: string, task: Parameters<Tasks['has']>[0]])[] = [
  ['/v1/chat/completions', '"messages":[{"role":"user","content":"Hello"}]', 'complete'],
  ['/v1/classify', '"input":["Hello"]', 'classify'],
  ['/v1/rerank', '"query":"Hello","documents":["Good day","A bill"]', 'rerank'],
  ['/v1/embeddings', '"input":"Hello"', 'embed'],
];

function tellStart(
  { url, port }: ApiServer,
  tasks: Tasks,
  { names, open, host }: { readonly names: readonly string[]; readonly open: boolean; readonly host: string },
  output: Output,
): void {
  output.event({ type: 'listening', url, port, models: names });
  const model = names.length > 1 ? `"model":"${names[0]}",` : '';
  const key = open ? '' : ' -H "Authorization: Bearer $MEANFIELD_API_KEY"';
  const [route, asked] = EXAMPLES.find(([, , task]) => tasks.has(task)) ?? EXAMPLES[0]!;
  const body = `{${model}${asked}}`;
  output.text(`Serving ${names.join(', ')} at ${url}\n`, 'good');
  output.text(`  curl ${url}${route}${key} -d '${body}'\n  ${url}/docs lists what can be asked; Ctrl-C ends it.\n`);
  if (open && !/^(?:127\.|localhost$|::1$)/.test(host))
    output.note(
      `note: everybody who reaches ${host} may ask. --api-key asks for a key, --cert and --key encrypt.\n`,
      'warning',
    );
}
