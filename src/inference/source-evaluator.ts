import { parseSourceRow } from '../data/chat/row.js';
import type { TokenRow } from '../data/chat/row-file.js';
import { fitSource, SourceEncoder, sourceAndTarget } from '../data/chat/source-row.js';
import { seq2seqOf } from '../objectives/create.js';
import { ofSources, type Seq2Seq } from '../objectives/seq2seq/seq2seq.js';
import { RowEvaluator, type RowReader, type RowRoom } from './row-evaluator.js';
import type { TextEvaluatorOptions } from './text-evaluator.js';

/** Measures how well an encoder-decoder writes the targets of sources: the loss of training, each row by itself. */
export class SourceEvaluator extends RowEvaluator<TokenRow> {
  protected override readonly objective = 'seq2seq';
  protected override readonly nothing = 'their targets are empty';
  protected override readonly parse = parseSourceRow;
  readonly #marks: { readonly start: number; readonly end: number };

  /** @throws UsageError when there is no token that begins or ends what is written */
  constructor(options: TextEvaluatorOptions) {
    super(options);
    this.#marks = seq2seqOf(options.tokenizer, options.model.config as object);
  }

  protected override open(): RowReader {
    return new SourceEncoder(this.options.tokenizer, this.#marks.end);
  }

  protected override fit(row: TokenRow): { readonly row: TokenRow; readonly cut: boolean } | undefined {
    const fitted = fitSource(row, this.options.model.dimensions.context);
    return fitted && { row: fitted.rows[0], cut: fitted.cut };
  }

  protected override partsOf(row: TokenRow): readonly number[] {
    const { source, target } = sourceAndTarget(row);
    return [source.length, target.length];
  }

  protected override sampleOf(row: TokenRow): TokenRow {
    return row;
  }

  protected override learned([source = 1, target = 1]: RowRoom): Seq2Seq<TokenRow> {
    const { model, tokenizer } = this.options;
    return ofSources(model, { room: { source, target }, start: this.#marks.start, standIn: tokenizer.standIn });
  }
}
