import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { sha256 } from '../../base/hash.js';
import type { CorpusOptions } from '../corpus/types.js';
import { OtherTextError } from '../dataset/prepare.js';
import { SplitPlanner } from '../dataset/split.js';
import type { MadeTokenizer } from '../tokenizers/kinds.js';
import { parseTokenizer } from '../tokenizers/parse.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { RowEncoder } from './encode-row.js';
import { makeChatTokenizer, makeSourceTokenizer } from './make-tokenizer.js';
import { fitPair, sidesOf } from './pair.js';
import { batchesOf, readRows, tablesIn } from './read-rows.js';
import { ChatRenderer } from './renderer.js';
import { type ChatText, parseRow, parseSourceRow } from './row.js';
import {
  RowFile,
  type RowFileEntry,
  rowFileNames,
  rowFileSchema,
  rowsAreWhole,
  type TokenRow,
  writeRows,
} from './row-file.js';
import { fitSource, SourceEncoder } from './source-row.js';
import { type ChatFiles, type FoundTemplate, findTemplate } from './template.js';
import { ENDLESS, endsTurns } from './turn-end.js';

/** What {@link prepareChat} makes, of what and where. */
export interface PrepareChatOptions extends Omit<CorpusOptions, 'field'> {
  /** The folder for rows, tokenizer and manifest. It belongs to the data set alone. */
  readonly folder: string;
  /** A kind to make for these rows, or the files of one to use as it is. */
  readonly tokenizer: MadeTokenizer | ChatFiles;
  /** Tokens for `bpe` to learn. */
  readonly vocabularySize?: number | undefined;
  /** The part of the rows, between 0 and 1, that validates. */
  readonly validationFraction: number;
  /** A file or folder of rows that validate in place of such a part; where the paths have it too, it is left out there. */
  readonly heldOut?: string | undefined;
  /** Whether the rows are preferences, of which both sides are wanted: each is then two rows, the chosen one first. */
  readonly pairs?: boolean | undefined;
  /** Where rows are sources with targets: the token that ends either, once there is a tokenizer. */
  readonly sourceEnd?: ((tokenizer: Tokenizer) => number) | undefined;
  /**
   * Tokens of a row at most; longer ones are cut at the end, those of pairs at the beginning of their prompt. A source and
   * its target have as many each.
   */
  readonly longest: number;
  /** The fingerprint that the data set must have. */
  readonly expected?: string | undefined;
  readonly onProgress?: ((rows: number) => void) | undefined;
}

const count = z.int().nonnegative();

const manifestSchema = z.strictObject({
  format: z.literal('meanfield-chat'),
  version: z.literal(1),
  /** The sha256 over rows and settings: equal ones mean equal tokens. */
  fingerprint: z.string(),
  /** The tokenizer's files, by name, and the sha256 of each. */
  files: z.record(z.string(), z.string()),
  statistics: z.strictObject({
    /** Rows read, and of those: cut at the end; passed over as nothing in them is learned; equal to an earlier one. */
    rows: count,
    cut: count,
    nothing: count,
    duplicates: count,
    /** Rows whose assistant turns end with what is not learned. */
    unlearnedEnd: count,
    bytes: count,
  }),
  train: rowFileSchema,
  validation: rowFileSchema,
});

/** What became of the rows. */
export type ChatStatistics = z.infer<typeof manifestSchema>['statistics'];

/** Rows as tokens, ready to be drawn from. */
export interface ChatDataset {
  readonly tokenizer: Tokenizer;
  readonly files: ChatFiles;
  readonly template: FoundTemplate;
  readonly train: RowFile;
  readonly validation: RowFile;
  readonly fingerprint: string;
  readonly statistics: ChatStatistics;
}

const MANIFEST = 'chat.json';
/** Rows that are rendered in one go. */
const AT_ONCE = 64;

/**
 * Turns rows of conversations and other kinds (see {@link parseRow}) into tokens on disk, each with whether it is
 * learned, in a training and a validation part: of fewer than 20 rows the last validate, else those that a hash of what
 * they hold chooses, so that equal ones are on one side. Memory does not grow with the rows, but for their lengths.
 *
 * The manifest is removed first and written last: if the process dies in between, the next call starts over.
 *
 * @throws MeanfieldError for a row that is none of the kinds, with its file and line; when there is nothing to learn from
 * @throws OtherTextError when the rows are not those that were expected
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function prepareChat(options: PrepareChatOptions): Promise<ChatDataset> {
  const { folder, tokenizer, validationFraction, longest, vocabularySize } = options;
  const scan = await scanRows(options);
  const settings = { tokenizer, vocabularySize, validationFraction, longest };
  // As it was before there could be files of their own, where there are none.
  const kind = options.pairs ? ['pairs'] : options.sourceEnd ? ['sources'] : [];
  const held = [...(scan.training === undefined ? [] : [scan.training]), ...kind];
  const fingerprint = sha256(JSON.stringify([settings, scan.content, ...held]));
  if (options.expected !== undefined && options.expected !== fingerprint)
    throw new OtherTextError(`The rows in ${options.paths.join(', ')} are not those that ${folder} was made of.`);
  const old = await openChat(folder).catch(() => undefined);
  if (old?.fingerprint === fingerprint) return old;
  old?.train.close();
  old?.validation.close();
  await rm(join(folder, MANIFEST), { force: true });

  const make = options.sourceEnd ? makeSourceTokenizer : makeChatTokenizer;
  const files =
    typeof tokenizer === 'string'
      ? await make(tokenizer, textsOf(tokenizer === 'chars' ? undefined : false), options)
      : tokenizer;
  const template = findTemplate(files);
  const renderer = new ChatRenderer(template);
  const statistics = { ...scan.statistics, cut: 0, nothing: 0, unlearnedEnd: 0 };
  try {
    const parsed = await parseTokenizer(files as never, folder);
    const encoder = options.sourceEnd
      ? new SourceEncoder(parsed, options.sourceEnd(parsed))
      : new RowEncoder(parsed, template, renderer);
    let ends: Promise<boolean> | undefined;
    const hasEnd = () => (ends ??= endsTurns(renderer, parsed));
    const begin = beginOf(template, parsed);
    const part = async (name: 'train' | 'validation'): Promise<RowFileEntry> =>
      writeRows(folder, name, encoded(encoder, hasEnd, rowsOf(name === 'validation'), begin));
    const [train, validation] = [await part('train'), await part('validation')];
    for (const [name, { rows }] of Object.entries({ train, validation }))
      if (rows === 0) throw tooFew(options, statistics, name);
    for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(folder, name), text);
    const manifest: z.input<typeof manifestSchema> = {
      ...{ format: 'meanfield-chat', version: 1, fingerprint, statistics, train, validation },
      files: Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sha256(text)])),
    };
    await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  } finally {
    await renderer.close();
  }
  return openChat(folder);

  /** @param validates those of that part, or all */
  async function* rowsOf(validates: boolean | undefined): AsyncGenerator<readonly ChatText[]> {
    let number = 0;
    for await (const { sides } of parsedRows(options)) {
      const own = scan.validates(number++);
      if (validates === undefined || own === validates) yield sides;
    }
    if (number !== scan.statistics.rows)
      throw new MeanfieldError(
        'The rows changed while they were read. Start again when nothing writes to them any more.',
      );
  }

  async function* textsOf(validates: boolean | undefined): AsyncGenerator<ChatText> {
    for await (const sides of rowsOf(validates)) yield* sides;
  }

  async function* encoded(
    encoder: RowEncoder | SourceEncoder,
    hasEnd: () => Promise<boolean>,
    rows: AsyncIterable<readonly ChatText[]>,
    begin: number | undefined,
  ): AsyncGenerator<TokenRow> {
    let done = 0;
    for await (const batch of batchesOf(rows, AT_ONCE)) {
      options.signal?.throwIfAborted();
      if (batch.flat().some((row) => 'messages' in row) && !(await hasEnd()))
        throw new MeanfieldError(
          `The chat template cannot be learned: ${ENDLESS}. Close turns in the model's chat_template.jinja, with ` +
            '{{ eos_token }} for example, or take the template away: then ChatML is used.',
        );
      const sound = (await encoder.encode(batch.flat())).map((row): TokenRow & { unlearnedEnd?: string } => {
        if ('fault' in row) throw new MeanfieldError(`A row cannot be used: ${row.fault}.${CHECK}`);
        return row;
      });
      for (let i = 0; i < sound.length; i += options.pairs ? 2 : 1) {
        if (sound[i]!.unlearnedEnd !== undefined) statistics.unlearnedEnd++;
        const row = sound[i]!;
        const fitted = options.pairs
          ? fitPair([row, sound[i + 1]!], longest, begin)
          : (options.sourceEnd ? fitSource : fitRow)(row, longest);
        if (fitted?.cut) statistics.cut++;
        if (fitted) yield* fitted.rows;
        else statistics.nothing++;
      }
      options.onProgress?.((done += batch.length));
    }
  }
}

/** The token that begins a text, where the model has one. */
function beginOf({ names }: FoundTemplate, tokenizer: Tokenizer): number | undefined {
  const ids = names.bos_token ? tokenizer.encode(names.bos_token) : [];
  return ids.length === 1 ? ids[0] : undefined;
}

/** Cuts a row at its end. @returns undefined where nothing of it is learned then */
function fitRow(
  row: TokenRow,
  longest: number,
): { readonly rows: readonly TokenRow[]; readonly cut: boolean } | undefined {
  const [ids, flags] = [row.ids.slice(0, longest), row.flags.slice(0, longest)];
  // Nothing comes before it that it could be told from.
  flags[0] = 0;
  return flags.includes(1) ? { rows: [{ ids, flags }], cut: row.ids.length > longest } : undefined;
}

const CHECK = ' `meanfield data check` shows all rows that are wrong.';

/**
 * Opens what {@link prepareChat} made.
 *
 * @throws MeanfieldError when the folder holds no whole data set
 */
export async function openChat(folder: string, { check = false } = {}): Promise<ChatDataset> {
  const manifest = await readManifest(folder);
  const files: Record<string, string> = {};
  try {
    for (const [name, hash] of Object.entries(manifest.files)) {
      files[name] = await readFile(join(folder, name), 'utf8');
      if (sha256(files[name]) !== hash) throw new MeanfieldError(`${name} is not the file that was written`);
    }
  } catch (error) {
    throw unusable(folder, messageOf(error), error);
  }
  for (const part of PARTS)
    if (check && !(await rowsAreWhole(folder, part, manifest[part])))
      throw unusable(folder, `the ${part} rows are damaged`);
  return {
    tokenizer: await parseTokenizer(files as never, folder),
    files,
    template: findTemplate(files),
    train: await RowFile.open(folder, 'train', manifest.train),
    validation: await RowFile.open(folder, 'validation', manifest.validation),
    fingerprint: manifest.fingerprint,
    statistics: manifest.statistics,
  };
}

const PARTS = ['train', 'validation'] as const;

/**
 * One part of what {@link prepareChat} made; a machine that only trains has no other.
 *
 * @throws MeanfieldError when the folder does not hold it
 */
export async function openRowFile(folder: string, part: (typeof PARTS)[number]): Promise<RowFile> {
  return RowFile.open(folder, part, (await readManifest(folder))[part]);
}

/** Names of the files that {@link openRowFile} reads of the training part. */
export function trainingFiles(): string[] {
  return [MANIFEST, ...Object.values(rowFileNames('train'))];
}

async function readManifest(folder: string): Promise<z.output<typeof manifestSchema>> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')));
  } catch (error) {
    throw unusable(folder, messageOf(error), error);
  }
}

function unusable(folder: string, why: string, cause?: unknown): MeanfieldError {
  return new MeanfieldError(`${folder} holds no prepared rows: ${why.slice(0, 300)}. Prepare them again.`, { cause });
}

/** The rows, and behind them those of `heldOut`. */
async function* parsedRows({ heldOut, pairs, sourceEnd, ...options }: PrepareChatOptions) {
  const parse = sourceEnd ? parseSourceRow : parseRow;
  const except = [...(options.except ?? []), options.folder];
  const others = heldOut === undefined ? [] : await tablesIn({ ...options, paths: [heldOut], except });
  const parts = [{ ...options, except: [...except, ...others] }];
  if (heldOut !== undefined) parts.push({ ...options, paths: [heldOut], except });
  for (const [i, part] of parts.entries())
    for await (const { row, source } of readRows(part)) {
      const parsed = parse(row);
      const sides = 'fault' in parsed ? parsed : pairs ? sidesOf(parsed) : [parsed.learned];
      if ('fault' in sides) throw new MeanfieldError(`${source}: ${sides.fault}.${CHECK}`);
      yield { sides, heldOut: i > 0 };
    }
}

async function scanRows(options: PrepareChatOptions) {
  const content = createHash('sha256');
  const planner = new SplitPlanner(options.validationFraction);
  const seen = new Set<string>();
  const statistics = { rows: 0, duplicates: 0, bytes: 0 };
  let training = 0;
  for await (const { sides, heldOut } of parsedRows(options)) {
    if (!heldOut) training++;
    const text = JSON.stringify(options.pairs ? sides : sides[0]);
    const digest = createHash('sha256').update(text).digest();
    content.update(digest);
    planner.add(digest);
    const key = digest.toString('latin1', 0, 12);
    if (seen.has(key)) statistics.duplicates++;
    seen.add(key);
    statistics.rows++;
    statistics.bytes += Buffer.byteLength(text);
  }
  if (options.heldOut !== undefined)
    return { content: content.digest('hex'), statistics, training, validates: (row: number) => row >= training };
  const split = planner.plan(statistics.rows);
  const last = 'at' in split ? Math.min(statistics.rows - 1, split.at) : 0;
  const validates = 'at' in split ? (row: number) => row >= last : split.validates;
  return { content: content.digest('hex'), statistics, validates };
}

function tooFew(options: PrepareChatOptions, { rows, nothing }: ChatStatistics, part: string): MeanfieldError {
  const why = options.sourceEnd
    ? 'its target is empty'
    : `no assistant turn, or cut off within ${options.longest - 1} tokens of context`;
  return new MeanfieldError(
    `Of the ${rows} rows in ${options.paths.join(', ')} none is left for the ${part} part: in ${nothing} nothing is learned ` +
      `(${why}). Expected two rows or more.${CHECK}`,
  );
}
