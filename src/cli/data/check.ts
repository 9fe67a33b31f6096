import { UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { type CheckedPiece, checkRows } from '../../data/chat/check.js';
import { findTemplate } from '../../data/chat/template.js';
import { BytesTokenizer } from '../../data/index.js';
import { withTextModel } from '../../hub/load-model.js';
import { seq2seqOf } from '../../objectives/create.js';
import { bringModel } from '../hub/bring-model.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { grouped, table } from '../terminal/format.js';
import type { CheckFlags } from './check-options.js';

/** Tokens of a row where nothing else is asked for, as in training. */
const CONTEXT = 1024;
/** Rows whose faults are told to a person one by one. */
const TOLD = 20;

/** Ends a source or target where a token is a byte: a zero, which no text holds. */
const STAND_IN_END = 0;

/** Shows rows as a model will see them, and every fault; 1 where a row could not be used at all. */
export async function checkData(files: readonly string[], flags: CheckFlags, context: Context): Promise<number> {
  const { output, closed } = context;
  if (!(await bringModel(flags.from, context))) return INTERRUPTED;
  const eyes = await eyesOf(flags);
  const counts = { rows: 0, tokens: 0, learned: 0, faulty: 0, unusable: 0 };
  const forms: Record<string, number> = {};
  // What is learned stands in brackets, on a terminal in colour as well.
  const show = (pieces: readonly CheckedPiece[]) => {
    for (const { text, learned } of pieces) output.text(learned ? `[${text}]` : text, learned ? 'good' : undefined);
    output.text('\n\n');
  };
  for await (const row of checkRows({ paths: files, signal: closed, ...eyes })) {
    const { source, form, tokens, learned, faults, unusable, pieces, rejected } = row;
    const shown = counts.rows < (flags.show ?? 3);
    if (shown) {
      output.text(`${source}: ${form ?? 'no row'}, ${grouped(tokens)} tokens, ${grouped(learned)} learned\n`);
      show(pieces);
      if (rejected !== undefined) {
        output.text(`rejected: ${grouped(rejected.tokens)} tokens, ${grouped(rejected.learned)} learned\n`);
        show(rejected.pieces);
      }
    }
    counts.rows++;
    counts.tokens += tokens;
    counts.learned += learned;
    if (form !== undefined) forms[form] = (forms[form] ?? 0) + 1;
    if (unusable) counts.unusable++;
    if (faults.length > 0 && counts.faulty++ < TOLD) output.text(`${source}: ${faults.join('; ')}\n`);
    if (shown || faults.length > 0) output.event({ type: 'row', ...row, pieces: shown ? pieces : [] });
  }
  if (counts.faulty > TOLD) output.text(`… and ${grouped(counts.faulty - TOLD)} more: --json lists all\n`);
  output.event({ type: 'result', ...counts, forms, context: eyes.context });
  const kinds = Object.entries(forms).map(([form, count]) => `${grouped(count)} ${form}`);
  output.text(
    `\n${table([
      ['rows', `${grouped(counts.rows)} (${kinds.join(', ') || 'none of a known form'})`],
      ['tokens', `${grouped(counts.tokens)}, ${grouped(counts.learned)} of them learned`],
      ['faults', `${grouped(counts.faulty)} rows, of which ${grouped(counts.unusable)} could not be used`],
    ])}`,
  );
  return counts.unusable > 0 ? 1 : 0;
}

/** What the rows are seen by: the model's template and tokenizer, or ChatML and bytes. */
async function eyesOf({ from, context, objective }: CheckFlags) {
  if (from === undefined) {
    const tokenizer = new BytesTokenizer();
    const end = objective === 'seq2seq' && { sourceEnd: STAND_IN_END };
    return { template: findTemplate({}), tokenizer, vocabulary: 256, context: context ?? CONTEXT, ...end };
  }
  return withTextModel(from, async ({ model, tokenizerFiles, tokenizer: read }) => {
    const tokenizer = await read();
    const reads = model.architecture.encoder !== undefined;
    if (objective !== undefined && (objective === 'seq2seq') !== reads)
      throw spelledError(
        UsageError,
        ({ option }) =>
          `${from} is a ${model.architecture.name} model, which does not learn ${objective}. Leave ${option('objective')} out.`,
      );
    return {
      template: findTemplate(tokenizerFiles),
      tokenizer,
      vocabulary: model.dimensions.vocabulary,
      context: context ?? Math.min(model.dimensions.context, CONTEXT),
      ...(reads && { sourceEnd: seq2seqOf(tokenizer, model.config as object).end }),
    };
  });
}
