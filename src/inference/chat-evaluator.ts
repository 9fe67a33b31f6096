import { RowEncoder } from '../data/chat/encode-row.js';
import { ChatRenderer } from '../data/chat/renderer.js';
import { parseRow } from '../data/chat/row.js';
import type { TokenRow } from '../data/chat/row-file.js';
import { findTemplate } from '../data/chat/template.js';
import { Chat } from '../objectives/chat/chat.js';
import { RowEvaluator, type RowReader, type RowRoom } from './row-evaluator.js';
import type { TextEvaluatorOptions } from './text-evaluator.js';

/** What a {@link ChatEvaluator} computes with. */
export interface ChatEvaluatorOptions extends TextEvaluatorOptions {
  /** The texts of the tokenizer's files, by name: the template is among them. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
}

/**
 * Measures how well a model gives the answers in conversations: the loss of training, each row by itself. Rows are
 * rendered by the model's template, or ChatML where it has none.
 */
export class ChatEvaluator extends RowEvaluator<readonly TokenRow[]> {
  protected override readonly objective = 'chat';
  protected override readonly parse = parseRow;
  readonly #files: ChatEvaluatorOptions['tokenizerFiles'];

  constructor(options: ChatEvaluatorOptions) {
    super(options);
    this.#files = options.tokenizerFiles;
  }

  protected override get nothing(): string {
    return `no assistant turn, or none within the ${this.#context} tokens that the model sees`;
  }

  protected override open(): RowReader {
    const template = findTemplate(this.#files);
    const renderer = new ChatRenderer(template);
    const encoder = new RowEncoder(this.options.tokenizer, template, renderer);
    return { encode: (rows) => encoder.encode(rows), close: () => renderer.close() };
  }

  protected override fit(row: TokenRow): { readonly row: TokenRow; readonly cut: boolean } | undefined {
    const [ids, flags] = [row.ids.slice(0, this.#context + 1), row.flags.slice(0, this.#context + 1)];
    // Nothing comes before it that it could be told from.
    flags[0] = 0;
    return flags.includes(1) ? { row: { ids, flags }, cut: row.ids.length > ids.length } : undefined;
  }

  /** The last token is only told. */
  protected override partsOf({ ids }: TokenRow): readonly number[] {
    return [ids.length - 1];
  }

  protected override sampleOf(row: TokenRow): readonly TokenRow[] {
    return [row];
  }

  protected override learned([places = 1]: RowRoom): Chat {
    return new Chat(this.options.model, places);
  }

  get #context(): number {
    return this.options.model.dimensions.context;
  }
}
