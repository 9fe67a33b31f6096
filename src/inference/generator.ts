import { MeanfieldError } from '../base/errors.js';
import { Turns } from '../base/turns.js';
import type { Tokenizer } from '../data/index.js';
import type { Engine, HostArrays, SessionOptions } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import { seq2seqOf } from '../objectives/create.js';
import { Generation } from './generation.js';
import { type GenerateOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { createDecoder } from './sequence-decoder.js';
import type { SequenceDecoder } from './sequences.js';
import { type SpecialTokens, specialTokens } from './special-tokens.js';
import type { Weights } from './weights.js';

/** A model ready to write, as read from a model folder. */
export interface GeneratorOptions {
  readonly model: Model;
  /** The model's vector, as its layout describes it, or what its inputs are fed by name, not copied; or its weights. */
  readonly parameters: Float32Array | HostArrays | Weights;
  readonly tokenizer: Tokenizer;
  /** `generation_config.json`, which may name the tokens that start and end a text. */
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
  /** What writes in place of the parameters. */
  readonly decoder?: SequenceDecoder | undefined;
}

/**
 * Continues texts with a model, or writes what belongs to them, of a model that reads a source. It computes on the caller's thread, which is blocked for one token, or for up to 128 of
 * the prompt, at a time; between them other events have their turn.
 *
 * @example
 * const generator = new Generator({ model, parameters, tokenizer, engine: new NodeEngine() });
 * for await (const piece of generator.generate({ prompt: 'Once', maxTokens: 100 })) process.stdout.write(piece);
 */
export class Generator {
  readonly #options: GeneratorOptions;
  readonly #decoder: SequenceDecoder;
  readonly #special: SpecialTokens;
  /** Of a model that reads a source: what stands before what it writes, and ends what it reads. */
  readonly #marks: { readonly start: number; readonly end: number } | undefined;
  readonly #turns = new Turns();
  readonly #atWork = new Set<Generation>();
  #disposed = false;

  constructor(options: GeneratorOptions) {
    const { model, tokenizer, generationConfig } = options;
    this.#options = options;
    this.#decoder = options.decoder ?? createDecoder(options);
    const config = model.config as Record<string, unknown>;
    this.#special = specialTokens(tokenizer, model.dimensions.vocabulary, config, generationConfig);
    this.#marks = model.architecture.encoder && seq2seqOf(tokenizer, { ...config, ...generationConfig });
  }

  /**
   * Continues a prompt. A prompt longer than the context is cut to its last tokens, with a notice. A text longer than
   * the context goes on from its last half: positions beyond the context have no meaning to the model.
   *
   * A model that reads a source is given the prompt as that: it is cut at its end where it is longer than the context, and
   * what is written may have any length.
   *
   * Several may be asked for at once: they are written one after another, in the order in which they were begun.
   *
   * @returns pieces of text as they come, and the figures at the end; nothing is computed before they are asked for
   * @throws UsageError for an option that is not allowed
   * @throws EncodeError for a prompt with characters that the model does not know
   */
  generate(options: GenerateOptions = {}): Generation {
    const resolved = resolveOptions(options);
    const { model, tokenizer } = this.#options;
    const { vocabulary } = model.dimensions;
    const ids = [...tokenizer.encode(resolved.prompt)];
    const unknown = ids.find((id) => id >= vocabulary);
    if (unknown !== undefined) {
      throw new MeanfieldError(
        `The tokenizer gives id ${unknown}, but the model knows ${vocabulary} tokens: they do not belong together.`,
      );
    }
    const notices: string[] = [];
    if (this.#marks) return this.#writing(resolved, [this.#marks.start], notices, this.#sourceOf(ids, notices));
    // Room for a token to come.
    const most = Math.max(1, this.#decoder.context - 1);
    if (ids.length > most) {
      notices.push(
        `The prompt has ${ids.length} tokens and the context ${this.#decoder.context}: the last ${most} are used.`,
      );
    }
    return this.#writing(resolved, ids.length > 0 ? ids.slice(-most) : [this.#special.start], notices);
  }

  /** A source's ids with the one that ends it, as in training. */
  #sourceOf(ids: readonly number[], notices: string[]): readonly number[] {
    const { context } = this.#options.model.dimensions;
    const end = this.#marks!.end;
    const ended = ids.at(-1) === end ? ids : [...ids, end];
    if (ended.length <= context) return ended;
    notices.push(
      `The source has ${ended.length} tokens and the context ${context}: the first ${context - 1} and its end are read.`,
    );
    return [...ended.slice(0, context - 1), end];
  }

  #writing(
    options: ResolvedOptions,
    prompt: readonly number[],
    notices: readonly string[],
    source?: readonly number[],
  ): Generation {
    const { model, tokenizer } = this.#options;
    const { vocabulary } = model.dimensions;
    const generation: Generation = new Generation({
      ...{ options, prompt, source, notices },
      tokenizer,
      vocabulary: Math.min(vocabulary, tokenizer.vocabularySize),
      end: this.#special.end,
      acquire: (signal) => this.#acquire(generation, signal),
    });
    return generation;
  }

  /** Frees the engine's memory. Generations that are written or wait fail, after the token in work. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const generation of this.#atWork) generation.stop(closedError());
    const end = await this.#turns.take();
    await this.#decoder.dispose();
    end();
  }

  /** The decoder holds one sequence, so one generation at a time. */
  async #acquire(
    generation: Generation,
    signal: AbortSignal,
  ): Promise<{ decoder: SequenceDecoder; release: () => void }> {
    if (this.#disposed) throw closedError();
    this.#atWork.add(generation);
    try {
      const end = await this.#turns.take(signal);
      this.#decoder.clear();
      const release = () => {
        this.#atWork.delete(generation);
        end();
      };
      return { decoder: this.#decoder, release };
    } catch (error) {
      this.#atWork.delete(generation);
      throw error;
    }
  }
}

function closedError(): MeanfieldError {
  return new MeanfieldError('The model was closed before this text was written. Load it again to go on.');
}
