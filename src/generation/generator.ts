import { MeanfieldError } from '../base/errors.js';
import type { Tokenizer } from '../data/index.js';
import type { CompileOptions, Engine } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import { Decoder } from './decoder.js';
import { Generation } from './generation.js';
import { type GenerateOptions, resolveOptions } from './options.js';
import { type SpecialTokens, specialTokens } from './special-tokens.js';

/** A model ready to write, as read from a model folder. */
export interface GeneratorOptions {
  readonly model: Model;
  /** The model's vector, as its layout describes it. Not copied. */
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  /** `generation_config.json`, which may name the tokens that start and end a text. */
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  readonly engine: Engine;
  readonly compile?: CompileOptions;
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
  #busy = false;

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
    return new Generation({
      options: resolved,
      prompt: ids.length > 0 ? ids.slice(-most) : [this.#special.start],
      notices,
      tokenizer,
      vocabulary: Math.min(vocabulary, tokenizer.vocabularySize),
      end: this.#special.end,
      signal: options.signal,
      acquire: () => this.#acquire(),
    });
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#decoder.dispose();
  }

  /** The decoder holds one sequence, so one generation at a time. */
  #acquire(): { decoder: Decoder; release: () => void } {
    if (this.#busy) throw new Error('this generator is at work: end that generation first, or use another generator');
    this.#busy = true;
    this.#decoder.clear();
    return {
      decoder: this.#decoder,
      release: () => {
        this.#busy = false;
      },
    };
  }
}
