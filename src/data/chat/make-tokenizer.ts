import { MeanfieldError } from '../../base/errors.js';
import { BpeTokenizer } from '../tokenizers/bpe.js';
import { BytesTokenizer } from '../tokenizers/bytes.js';
import { CharacterSet, CharsTokenizer } from '../tokenizers/chars.js';
import type { MadeTokenizer } from '../tokenizers/kinds.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { END_OF_TEXT } from '../tokenizers/tokenizer-files.js';
import { trainBpeInTurns } from '../tokenizers/train-bpe.js';
import { toBytes } from '../tokenizers/utf8.js';
import { vocabularyFor } from '../tokenizers/vocabulary-for.js';
import { WordCounter } from '../tokenizers/word-counts.js';
import { renderRows } from './encode-row.js';
import { batchesOf } from './read-rows.js';
import { ChatRenderer } from './renderer.js';
import type { ChatText } from './row.js';
import { CHATML, CHATML_TOKENS, type ChatFiles } from './template.js';

/** A pair that comes once saves one token, and costs a row of the model's embedding. */
const MIN_FREQUENCY = 2;
const MARKS = [CHATML_TOKENS.start, CHATML_TOKENS.end];

/**
 * Makes a tokenizer for rows and the template that goes with it, ChatML: `bpe` learns from the rows as they are rendered,
 * and has the marks of turns as tokens; `chars` and `bytes` spell them out.
 *
 * @returns its files
 */
export async function makeChatTokenizer(
  kind: MadeTokenizer,
  rows: AsyncIterable<ChatText>,
  { vocabularySize, signal }: { vocabularySize?: number | undefined; signal?: AbortSignal | undefined },
): Promise<ChatFiles> {
  const end = kind === 'bpe' ? CHATML_TOKENS.end : '';
  const learning = { vocabularySize, signal, special: MARKS };
  const tokenizer = kind === 'bytes' ? new BytesTokenizer() : await learned(kind, rendered(rows), learning);
  const files = tokenizer.files();
  const config = {
    ...JSON.parse(files['tokenizer_config.json']),
    ...(end !== '' && { eos_token: end, pad_token: END_OF_TEXT }),
    chat_template: CHATML,
  };
  return {
    'tokenizer.json': files['tokenizer.json'],
    'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
    'chat_template.jinja': CHATML,
  };
}

/**
 * Makes a tokenizer for sources and targets, of the texts of both.
 *
 * @returns its files
 */
export async function makeSourceTokenizer(
  kind: MadeTokenizer,
  rows: AsyncIterable<ChatText>,
  { vocabularySize, signal }: { vocabularySize?: number | undefined; signal?: AbortSignal | undefined },
): Promise<ChatFiles> {
  const learning = { vocabularySize, signal, special: [] };
  const tokenizer = kind === 'bytes' ? new BytesTokenizer() : await learned(kind, textsIn(rows), learning);
  return { ...tokenizer.files() };
}

async function* textsIn(rows: AsyncIterable<ChatText>): AsyncGenerator<string> {
  for await (const row of rows) if ('completion' in row) yield* [row.prompt, row.completion];
}

async function* rendered(rows: AsyncIterable<ChatText>): AsyncGenerator<string> {
  const renderer = new ChatRenderer({ source: CHATML, names: {} });
  try {
    for await (const batch of batchesOf(rows, 64))
      for (const row of await renderRows(batch, { begin: '', end: '' }, renderer)) {
        if ('fault' in row) throw new MeanfieldError(`A row cannot be used: ${row.fault}.`);
        yield row.text;
      }
  } finally {
    await renderer.close();
  }
}

interface Learning {
  readonly vocabularySize: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Tokens of a `bpe` beside the one that ends a text. */
  readonly special: readonly string[];
}

async function learned(
  kind: 'chars' | 'bpe',
  texts: AsyncIterable<string>,
  { vocabularySize, signal, special }: Learning,
): Promise<Tokenizer> {
  const counter = new WordCounter();
  const characters = new CharacterSet();
  let bytes = 0;
  for await (const text of texts) {
    signal?.throwIfAborted();
    const utf8 = toBytes(text);
    bytes += utf8.length;
    if (kind === 'chars') characters.add(utf8);
    else for (const piece of pieces(text, special)) counter.addText(toBytes(piece));
  }
  if (kind === 'chars') return new CharsTokenizer(characters.points());
  const training = {
    vocabularySize: vocabularySize ?? vocabularyFor(bytes),
    special: [END_OF_TEXT, ...special],
    minFrequency: MIN_FREQUENCY,
  };
  return new BpeTokenizer(await trainBpeInTurns(counter.result(), training, signal));
}

/** What lies between marks, which are tokens. */
function pieces(text: string, marks: readonly string[]): string[] {
  return marks.reduce<string[]>((parts, mark) => parts.flatMap((part) => part.split(mark)), [text]);
}
