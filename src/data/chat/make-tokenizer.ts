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
  const tokenizer = kind === 'bytes' ? new BytesTokenizer() : await learned(kind, rows, vocabularySize, signal);
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

async function learned(
  kind: 'chars' | 'bpe',
  rows: AsyncIterable<ChatText>,
  vocabularySize: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Tokenizer> {
  const counter = new WordCounter();
  const characters = new CharacterSet();
  let bytes = 0;
  const renderer = new ChatRenderer({ source: CHATML, names: {} });
  try {
    for await (const batch of batchesOf(rows, 64)) {
      signal?.throwIfAborted();
      for (const row of await renderRows(batch, { begin: '', end: '' }, renderer)) {
        if ('fault' in row) throw new MeanfieldError(`A row cannot be used: ${row.fault}.`);
        const text = toBytes(row.text);
        bytes += text.length;
        if (kind === 'chars') characters.add(text);
        else for (const piece of pieces(row.text)) counter.addText(toBytes(piece));
      }
    }
  } finally {
    await renderer.close();
  }
  if (kind === 'chars') return new CharsTokenizer(characters.points());
  const training = {
    vocabularySize: vocabularySize ?? vocabularyFor(bytes),
    special: [END_OF_TEXT, ...MARKS],
    minFrequency: MIN_FREQUENCY,
  };
  return new BpeTokenizer(await trainBpeInTurns(counter.result(), training, signal));
}

/** What lies between the marks of turns, which are tokens. */
function pieces(text: string): string[] {
  return MARKS.reduce<string[]>((parts, mark) => parts.flatMap((part) => part.split(mark)), [text]);
}
