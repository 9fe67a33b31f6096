import { MeanfieldError } from '../base/errors.js';
import { Turns } from '../base/turns.js';
import type { Tokenizer } from '../data/index.js';
import type { Engine, HostArrays, SessionOptions } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import { Decoder } from './decoder.js';
import { Generation } from './generation.js';
import { type GenerateOptions, resolveOptions } from './options.js';
import { type SpecialTokens, specialTokens } from './special-tokens.js';

/** A model ready to write, as read from a model folder. */
export interface GeneratorOptions {
  readonly model: Model;
  /** The model's vector, as its layout describes it, or what its inputs are fed by name. Not copied. */
  readonly parameters: Float32Array | HostArrays;
  readonly tokenizer: Tokenizer;
  /** `generation_config.json`, which may name the tokens that start and end a text. */
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
}

/**
 * Continues texts with a model. It computes on the caller's thread, which is blocked for one token, or for up to 128 of
 * the prompt, at a time; between them other events have their turn.
 *
 * @example
 * const generator = new Generator({ model, parameters, tokenizer, engine: new NodeEngine() });
 * for await (const piece of generator.generate({ prompt: 'Once', maxTokens: 100 })) process.stdout.write(piece);
 */
export class Generator {
  readonly #options: GeneratorOptions;
  readonly #decoder: Decoder;
  readonly #special: SpecialTokens;
  readonly #turns = new Turns();
  readonly #atWork = new Set<Generation>();
  #disposed = false;

  constructor(options: GeneratorOptions) {
    const { model, tokenizer, generationConfig } = options;
    this.#options = options;
    this.#decoder = new Decoder(options);
    const config = model.config as Record<string, unknown>;
    this.#special = specialTokens(tokenizer, model.dimensions.vocabulary, config, generationConfig);
  }

  /**
   * Continues a prompt. A prompt longer than the context is cut to its last tokens, with a notice. A text longer than
   * the context goes on from its last half: positions beyond the context have no meaning to the model.
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
    // Room for a token to come.
    const most = Math.max(1, this.#decoder.context - 1);
    if (ids.length > most) {
      notices.push(
        `The prompt has ${ids.length} tokens and the context ${this.#decoder.context}: the last ${most} are used.`,
      );
    }
    const generation: Generation = new Generation({
      options: resolved,
      prompt: ids.length > 0 ? ids.slice(-most) : [this.#special.start],
      notices,
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
  async #acquire(generation: Generation, signal: AbortSignal): Promise<{ decoder: Decoder; release: () => void }> {
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
