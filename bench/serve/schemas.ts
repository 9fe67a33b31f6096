import { readFile } from 'node:fs/promises';
import { median, root } from '../lib.js';
import { startServing } from '../soak/serving.js';

/** Of JSON Schema's own test suite, as our tests have it: file and description. */
const CASES = [
  ['additionalProperties.json', 'additionalProperties with schema'],
  ['enum.json', 'enums in properties'],
  ['items.json', 'items and subitems'],
  ['items.json', 'nested items'],
  ['properties.json', 'properties with escaped characters'],
  ['ref.json', 'root pointer ref'],
  ['ref.json', 'escaped pointer ref'],
  ['required.json', 'required validation'],
  ['type.json', 'object type matches objects'],
  ['type.json', 'type: array, object or null'],
] as const;
const SUITE = 'src/inference/completions/grammar/json-schema-suite.json';
const TOKENS = 64;
const TEXTS = 5;

interface Timed {
  /** Milliseconds to the first piece. */
  readonly first: number;
  /** Milliseconds a token. */
  readonly each: number;
}

/** For each schema: what the first text waits, and what a token takes, beside a text of as many tokens without. */
export async function schemaRows(model: string, threads: number): Promise<string[][]> {
  const { groups } = JSON.parse(await readFile(root + SUITE, 'utf8')) as {
    groups: readonly { file: string; description: string; schema: object }[];
  };
  const flags = ['--precision', 'int8', '--threads', String(threads)];
  const serving = await startServing(`${root}dist/cli.js`, [model, ...flags]);
  try {
    const plain = (tokens: number) => write(serving.url, { max_tokens: tokens, ignore_eos: true });
    await plain(TOKENS);
    const rows: string[][] = [];
    for (const [file, description] of CASES) {
      const found = groups.find((group) => group.file === file && group.description === description);
      if (found === undefined) throw new Error(`${SUITE} has no ${file}: ${description}.`);
      const format = { type: 'json_schema', json_schema: { name: 'x', schema: found.schema } };
      const [held, free]: [Timed[], number[]] = [[], []];
      for (let seed = 0; seed < TEXTS; seed++) {
        const { tokens, ...timed } = await write(serving.url, { max_tokens: TOKENS, response_format: format, seed });
        held.push(timed);
        free.push((await plain(tokens)).each);
      }
      const each = median(held.map((timed) => timed.each));
      rows.push([description, ...[held[0]!.first, each, median(free)].map((ms) => ms.toFixed(1))]);
    }
    return rows;
  } finally {
    await serving.stop();
  }
}

async function write(url: string, more: object): Promise<Timed & { readonly tokens: number }> {
  const body = { prompt: 'An example in JSON:\n', stream: true, stream_options: { include_usage: true }, ...more };
  const began = performance.now();
  const response = await fetch(`${url}/v1/completions`, { method: 'POST', body: JSON.stringify(body) });
  let [first, text] = [0, ''];
  const decoder = new TextDecoder();
  for await (const part of response.body!) {
    first ||= performance.now() - began;
    text += decoder.decode(part, { stream: true });
  }
  const usage = /"completion_tokens":(\d+)/.exec(text);
  if (usage === null) throw new Error(`The server answers ${text.slice(0, 500)}`);
  return { first, each: (performance.now() - began) / Number(usage[1]), tokens: Number(usage[1]) };
}
