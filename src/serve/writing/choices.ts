import type { CompletionEvent, CompletionRequest, ServedModel } from '../../inference/completions/completion.js';
import { type ServeMetrics, seconds } from '../metrics.js';

/** An event of one of the texts that a request has written. */
export interface ChoiceEvent {
  /** Which text. */
  readonly index: number;
  readonly event: CompletionEvent;
}

/** Tokens of a request, as answers tell them. */
export interface UsageCount {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** Made once for all: an error takes longer to make than to give up a text. */
const OVER = new DOMException('Nobody reads on.', 'AbortError');

/** The texts of one request, which are written at the same time. */
export class Choices {
  readonly #prompts = new Map<number, { tokens: number; cached: number }>();
  #written = 0;

  /**
   * @param requests one for each text
   * @param perPrompt how many of them, one after another, have a prompt together
   */
  constructor(
    private readonly model: ServedModel,
    private readonly requests: readonly CompletionRequest[],
    private readonly perPrompt: number,
    private readonly metrics: ServeMetrics,
  ) {}

  /**
   * What comes of them, as it comes.
   *
   * @param signal ends them all; so does the end of the iteration
   */
  async *events(signal: AbortSignal): AsyncGenerator<ChoiceEvent, void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const began = performance.now();
    const iterators = this.requests.map((request) => this.model.complete(request, either)[Symbol.asyncIterator]());
    type Next = readonly [index: number, result: IteratorResult<CompletionEvent>];
    const advance = (index: number): Promise<Next> => {
      const next = iterators[index]!.next().then((result): Next => [index, result]);
      // Whoever reads is told of a failure by the race below; where nobody reads any more, or not yet, nobody is to hear.
      next.catch(() => {});
      return next;
    };
    const waiting = new Map(iterators.map((_, index) => [index, advance(index)]));
    const first = new Set<number>();
    try {
      while (waiting.size > 0) {
        const [index, result] = await Promise.race(waiting.values());
        if (result.done) {
          waiting.delete(index);
          continue;
        }
        waiting.set(index, advance(index));
        const event = result.value;
        if (event.type === 'text' && !first.has(index)) {
          first.add(index);
          this.metrics.firstToken(this.model.name, seconds(began));
        }
        this.#count(index, event);
        yield { index, event };
      }
    } finally {
      stop.abort(OVER);
      for (const iterator of iterators) Promise.resolve(iterator.return?.()).catch(() => {});
    }
  }

  #count(index: number, event: CompletionEvent): void {
    if (event.type === 'prompt') {
      const { tokens, cached } = event;
      const prompt = Math.floor(index / this.perPrompt);
      // Texts of one prompt share it: what one of them has read, the others find in the cache.
      if (!this.#prompts.has(prompt)) this.#prompts.set(prompt, { tokens, cached });
      this.metrics.promptTokens(this.model.name, tokens, cached);
    } else if (event.type === 'end') {
      this.#written += event.tokens;
      this.metrics.writtenTokens(this.model.name, event.tokens);
    }
  }

  get usage(): UsageCount {
    const prompts = [...this.#prompts.values()];
    const prompt = prompts.reduce((sum, { tokens }) => sum + tokens, 0);
    return {
      prompt_tokens: prompt,
      completion_tokens: this.#written,
      total_tokens: prompt + this.#written,
      prompt_tokens_details: { cached_tokens: prompts.reduce((sum, { cached }) => sum + cached, 0) },
    };
  }
}

/**
 * Events of which the first has come, so that what fails before it is an answer of its own; where it takes long, the
 * stream begins without.
 *
 * @param ms how long
 * @throws what the events throw before that
 */
export async function begun<T>(events: AsyncGenerator<T, void>, ms: number): Promise<AsyncGenerator<T, void>> {
  const first = events.next();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([first, late]);
  } finally {
    clearTimeout(timer);
  }
  // Told again when it is read.
  first.catch(() => {});
  return (async function* () {
    try {
      const result = await first;
      if (!result.done) yield result.value;
      yield* events;
    } finally {
      await events.return();
    }
  })();
}
