import { MeanfieldError, UsageError } from '../../base/errors.js';
import type { Tokenizer } from '../../data/index.js';
import type { Sequences } from '../sequences.js';
import { TokenChoice } from './choice.js';
import type { CompletionEvent, CompletionRequest, Constraint, ScoredToken } from './completion.js';
import { KeptPrefixes } from './prefixes.js';
import { CompletionScheduler, type SchedulerLimits } from './scheduler.js';
import type { TokenMask } from './token-mask.js';
import { scoreToken } from './token-scores.js';
import { WrittenText } from './written-text.js';

/** Of a model that reads a source: the prompt is that, and what is written begins with a token of its own. */
export interface SourceReader {
  readonly start: number;
  readonly end: number;
  /** The longest source, in tokens. */
  readonly context: number;
  read(ids: readonly number[]): Promise<void>;
}

/** What {@link Completions} work with. */
export interface CompletionsOptions {
  readonly sequences: Sequences;
  readonly source?: SourceReader | undefined;
  readonly tokenizer: Pick<Tokenizer, 'streamDecoder'>;
  /** Ids below this may be chosen. */
  readonly vocabulary: number;
  /** Tokens that end a text. */
  readonly end: ReadonlySet<number>;
  readonly limits: Omit<SchedulerLimits, 'mostTokens'>;
  /** Tokens of prompts that are kept beside those in work. */
  readonly keptTokens: number;
  /** Milliseconds that a request may take, waiting included. */
  readonly timeLimit: number;
  /** Makes what a constraint allows of a text; left out, constraints are refused. */
  readonly mask?: ((constraint: Constraint) => TokenMask) | undefined;
  /** Milliseconds. */
  readonly now?: (() => number) | undefined;
}

/** Who hears what comes of a request. */
export interface CompletionListener {
  event(event: CompletionEvent): void;
  /** Nothing comes any more. @param error why, where it did not come to its end */
  ended(error?: unknown): void;
}

interface Job extends CompletionListener {
  readonly id: number;
  readonly request: CompletionRequest;
  /** All that is known: what it begins with, and what was chosen. */
  readonly ids: number[];
  /** How many of them it began with. */
  readonly start: number;
  readonly choice: TokenChoice;
  readonly text: WrittenText;
  readonly scored: ScoredToken[];
  sequence: number | undefined;
  cached: number;
  told: boolean;
  cancelled: boolean;
}

/** The most tokens of a piece whose tokens' scores are wanted: those are the vocabulary's for each. */
const MOST_SCORED = 32;

/**
 * Writes many texts at once: carries out what a {@link CompletionScheduler} decides, step by step. What a text becomes does not depend on
 * those beside it, beyond the rounding of sums; of weights in few bits, ONNX Runtime rounds what a layer takes in otherwise
 * where a step has one row than where it has several.
 */
export class Completions {
  readonly #options: CompletionsOptions;
  readonly #sequences: Sequences;
  readonly #scheduler: CompletionScheduler;
  readonly #prefixes: KeptPrefixes;
  readonly #jobs = new Map<number, Job>();
  readonly #now: () => number;

  constructor(options: CompletionsOptions) {
    this.#options = options;
    this.#sequences = options.sequences;
    this.#scheduler = new CompletionScheduler({ ...options.limits, mostTokens: options.sequences.mostTokens });
    this.#prefixes = new KeptPrefixes(options.sequences, options.keptTokens);
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether there is anything to do. */
  get idle(): boolean {
    return this.#jobs.size === 0;
  }

  get load(): {
    readonly running: number;
    readonly waiting: number;
    readonly cachedTokens: number;
    readonly cacheMiB: number;
  } {
    return {
      running: this.#scheduler.running,
      waiting: this.#scheduler.waiting,
      cachedTokens: this.#prefixes.tokens,
      cacheMiB: Math.ceil(((this.#sequences.bytes ?? 0) + this.#prefixes.bytes) / 2 ** 20),
    };
  }

  /**
   * Takes a request up.
   *
   * @param id that no other has
   * @returns undefined, or where the queue is full in how many milliseconds one may ask again
   * @throws UsageError for a request that is not allowed
   */
  add(id: number, request: CompletionRequest, listener: CompletionListener): { readonly retryMs: number } | undefined {
    const { source, tokenizer, end, mask, timeLimit } = this.#options;
    this.#check(request);
    const { constraint, client, ignoreEnd, stop, maxTokens } = request;
    const ids = source ? [source.start] : [...request.prompt];
    const choice = new TokenChoice(request, constraint && mask!(constraint));
    const text = new WrittenText(tokenizer, { stop, maxTokens, ends: (one) => !ignoreEnd && end.has(one) });
    const now = this.#now();
    const refused = this.#scheduler.add({ id, client, prompt: ids.length, deadline: now + timeLimit }, now);
    if (refused) return refused;
    this.#jobs.set(id, {
      ...{ id, request, ids, start: ids.length, choice, text, scored: [], sequence: undefined, cached: 0 },
      ...{ told: false, cancelled: false },
      event: (event) => listener.event(event),
      ended: (error) => listener.ended(error),
    });
    return undefined;
  }

  /** Gives a request up, before the next step. */
  cancel(id: number): void {
    const job = this.#jobs.get(id);
    if (job) job.cancelled = true;
  }

  /** One step, of one session's run at most. */
  async step(): Promise<void> {
    for (const job of this.#jobs.values())
      if (job.cancelled) this.#end(job, new DOMException('given up', 'AbortError'));
    const step = this.#scheduler.next(this.#now());
    if (step === undefined) return;
    const jobs = (step.type === 'write' ? step.ids : [step.id]).map((id) => this.#jobs.get(id)!);
    try {
      switch (step.type) {
        case 'read':
          return await this.#read(jobs[0]!, step.most);
        case 'write':
          return await this.#write(jobs);
        case 'drop':
          this.#release(jobs[0]!);
          return this.#scheduler.dropped(step.id);
        case 'expire':
          throw new MeanfieldError(
            `A text was not written within ${Math.round(this.#options.timeLimit / 1000)} s, which is the time that it may take.`,
          );
      }
    } catch (error) {
      for (const job of jobs) this.#end(job, error);
    }
  }

  /** Fails all that is there. */
  abort(error: unknown): void {
    for (const job of this.#jobs.values()) this.#end(job, error);
  }

  #check({ prompt, maxTokens, constraint, promptLogprobs }: CompletionRequest): void {
    const { source, vocabulary, mask } = this.#options;
    const { context } = this.#sequences;
    if (prompt.length === 0) throw new UsageError('A prompt has a token or more, and this one none.');
    const unknown = prompt.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
    if (unknown !== undefined)
      throw new UsageError(`The prompt has token ${unknown}, and the model knows those from 0 to ${vocabulary - 1}.`);
    const most = source ? source.context : context;
    const wanted = prompt.length + (source ? 1 : maxTokens);
    if (wanted > most)
      throw new UsageError(
        `The prompt has ${prompt.length} tokens${source ? '' : ` and ${maxTokens} are to follow`}; the model's context is ` +
          `${most}.`,
      );
    if (source && promptLogprobs) throw new UsageError('The tokens of a source have no scores: the model reads them.');
    if (constraint && !mask) throw new UsageError(`Texts cannot be held to a ${constraint.kind} here.`);
  }

  async #read(job: Job, most: number): Promise<void> {
    const { source, keptTokens } = this.#options;
    if (job.sequence === undefined) job.sequence = this.#sequences.open();
    const { sequence, ids, request } = job;
    const before = this.#sequences.lengthOf(sequence);
    if (source && before === 0) await source.read(withEnd(request.prompt, source.end));
    const scores = request.promptLogprobs === true && !job.told;
    const keeps = keptTokens > 0 && !source && ids.length <= this.#sequences.turn;
    const from = keeps && !scores ? this.#prefixes.restore(sequence, ids, ids.length - 1) : before;
    if (!job.told) job.cached += from - before;
    // What lacks one token gets it together with others.
    if (from > before && ids.length - from === 1) return this.#scheduler.read(job.id, from, 0, 0);
    const began = this.#now();
    const { taken, logits } = scores
      ? await this.#sequences.readScored(sequence, ids.slice(from), Math.min(most, MOST_SCORED))
      : await this.#sequences.read(sequence, ids.slice(from), most);
    if (scores) this.#scorePrompt(job, from, taken, logits);
    this.#scheduler.read(job.id, from + taken, taken, this.#now() - began);
    if (keeps) this.#prefixes.keep(sequence, ids);
    const rows = scores ? taken : 1;
    if (from + taken === ids.length) this.#follow(job, logits.subarray((logits.length / rows) * (rows - 1)));
  }

  async #write(jobs: readonly Job[]): Promise<void> {
    const { turn, context } = this.#sequences;
    const ready = jobs.filter((job) => {
      if (turn >= context || this.#sequences.lengthOf(job.sequence!) !== turn) return true;
      // From here on all its positions are others.
      this.#sequences.cut(job.sequence!, 0);
      this.#scheduler.forgot(job.id);
      return false;
    });
    if (ready.length === 0) return;
    const next = ready.map(({ sequence, ids }) => ({ sequence: sequence!, id: ids.at(-1)! }));
    const scores = await this.#sequences.write(next);
    this.#scheduler.wrote(ready.map(({ id }) => id));
    for (const [i, job] of ready.entries()) this.#follow(job, scores[i]!);
  }

  /** Chooses what follows all that is known of a text. */
  #follow(job: Job, logits: Float32Array): void {
    if (job.cancelled) return;
    const { request, ids, text } = job;
    try {
      const { prompt, maxTokens, topLogprobs } = request;
      if (!job.told) {
        job.told = true;
        const scored = request.promptLogprobs ? { scored: job.scored } : {};
        job.event({ type: 'prompt', tokens: prompt.length, cached: job.cached, ...scored });
        if (maxTokens === 0) {
          job.event({ type: 'end', reason: 'length', tokens: 0 });
          this.#end(job);
          return;
        }
      }
      const row = logits.subarray(0, this.#options.vocabulary);
      const id = job.choice.choose(row);
      ids.push(id);
      this.#scheduler.chose(job.id);
      const events = text.push(id, topLogprobs === undefined ? undefined : scoreToken(row, id, topLogprobs));
      const last = events.at(-1);
      if (job.choice.ended) {
        if (last?.type !== 'end') events.push(...text.finish());
        // What is whole is not cut off, though no token is left.
        else if (last.reason === 'length') events[events.length - 1] = { ...last, reason: 'end' };
      }
      for (const event of events) job.event(event);
      if (events.at(-1)?.type === 'end') this.#end(job);
    } catch (error) {
      this.#end(job, error);
    }
  }

  /** Notes how the prompt's tokens were scored. @param logits of what follows each of those that were taken, [taken, V] */
  #scorePrompt(job: Job, from: number, taken: number, logits: Float32Array): void {
    const { scored, ids, start, request } = job;
    const V = logits.length / taken;
    if (scored.length === 0) scored.push({ id: ids[0]!, logprob: null, top: [] });
    for (let i = 0; i < taken; i++) {
      const place = from + i + 1;
      // What was read a second time is scored already.
      if (place >= start || place < scored.length) continue;
      const row = logits.subarray(i * V, i * V + this.#options.vocabulary);
      scored.push(scoreToken(row, ids[place]!, request.topLogprobs ?? 0));
    }
  }

  /** Gives back what a job has in the cache; what others may share is kept. */
  #release(job: Job): void {
    if (job.sequence === undefined) return;
    const { keptTokens, source } = this.#options;
    if (keptTokens > 0 && !source && job.ids.length <= this.#sequences.turn) this.#prefixes.keep(job.sequence, job.ids);
    this.#sequences.close(job.sequence);
    job.sequence = undefined;
  }

  #end(job: Job, error?: unknown): void {
    if (!this.#jobs.delete(job.id)) return;
    this.#scheduler.remove(job.id, this.#now());
    this.#release(job);
    job.ended(error);
  }
}

const withEnd = (ids: readonly number[], end: number): readonly number[] => (ids.at(-1) === end ? ids : [...ids, end]);
