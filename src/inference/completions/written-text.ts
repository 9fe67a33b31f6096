import type { Tokenizer } from '../../data/index.js';
import { StopStrings } from '../stop-strings.js';
import type { CompletionEvent, ScoredToken } from './completion.js';

/** What is told of a text while it is written: whole characters, nothing that may begin a stop, and why it ended. */
export class WrittenText {
  readonly #characters;
  readonly #stops: StopStrings;
  #untold: ScoredToken[] = [];
  #tokens = 0;

  constructor(
    tokenizer: Pick<Tokenizer, 'streamDecoder'>,
    private readonly request: {
      readonly stop: readonly string[];
      readonly maxTokens: number;
      readonly ends: (id: number) => boolean;
    },
  ) {
    this.#characters = tokenizer.streamDecoder();
    this.#stops = new StopStrings(request.stop);
  }

  /** @param scored where scores are told. @returns what comes of a token; after an `end` there is to be no other */
  push(id: number, scored?: ScoredToken): CompletionEvent[] {
    this.#tokens++;
    if (this.request.ends(id)) return [...this.#rest(), this.#end('end')];
    if (scored) this.#untold.push(scored);
    const { text, stopped } = this.#stops.push(this.#characters.push([id]));
    if (stopped) return [...this.#told(text), this.#end('stop')];
    if (this.#tokens < this.request.maxTokens) return text === '' ? [] : this.#told(text);
    return [...this.#rest(text), this.#end('length')];
  }

  /** The text is whole, though no token said so. */
  finish(): CompletionEvent[] {
    return [...this.#rest(), this.#end('end')];
  }

  /** What was held back, which nothing follows. */
  #rest(text = ''): CompletionEvent[] {
    // Half a character may complete a stop as little as it may be one.
    const last = this.#stops.push(this.#characters.end());
    return this.#told(text + last.text + (last.stopped ? '' : this.#stops.end()));
  }

  #told(text: string): CompletionEvent[] {
    const tokens = this.#untold;
    this.#untold = [];
    return text === '' && tokens.length === 0 ? [] : [{ type: 'text', text, tokens }];
  }

  #end(reason: 'end' | 'stop' | 'length'): CompletionEvent {
    return { type: 'end', reason, tokens: this.#tokens };
  }
}
