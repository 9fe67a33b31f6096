import type { Engine } from '../../engine/engine.js';
import type { OpenTextModel } from '../../hub/load-model.js';
import type { Model } from '../../model/model.js';
import { cacheFolder, KeptWeights } from '../kept-weights.js';
import type { WeightPrecision } from '../precision.js';
import { isFused } from '../sequence-decoder.js';
import { type Weights, weightsBy, weightsIn } from '../weights.js';

const NONE = new Float32Array(0);

/** The weights of a model that is served in a precision: made, or those of an earlier start. */
export class ServedWeights {
  #kept: KeptWeights | undefined;
  #made: Weights | undefined;
  #found: Weights | undefined;
  #precision: WeightPrecision;
  /** Why they are in another precision than was asked for. */
  notice: string | undefined;

  constructor(
    precision: WeightPrecision,
    private readonly engine: Engine,
    private readonly threads: number,
  ) {
    this.#precision = precision;
  }

  /** That which was asked for, or single precision where there are no others for such a model, once it is {@link read}. */
  get precision(): WeightPrecision {
    return this.#precision;
  }

  /** A model's parameters; none where nothing needs them, as what is made of them is here. */
  async read({ model, path, state, parameters }: OpenTextModel): Promise<Float32Array> {
    const { precision, engine } = this;
    if (precision === 'fp32') return parameters();
    if (model.architecture.sees === 'all' || !isFused(engine, model)) {
      this.notice =
        `A ${model.architecture.name} model on ${engine.name} is served in fp32: ${precision} is for models that continue ` +
        'texts, on the CPU.';
      this.#precision = 'fp32';
      return parameters();
    }
    const cache = cacheFolder();
    if (state && cache !== undefined)
      this.#kept = new KeptWeights(model, precision, { place: path, state: await state(), cache });
    this.#found = await this.#kept?.read();
    if (this.#found) return NONE;
    this.#made = await weightsBy(engine, this.threads, precision, model, model.layout.views(await parameters()));
    return NONE;
  }

  /** @param parameters what {@link read} gave, or those in its place */
  of(model: Model, parameters: Float32Array): Weights {
    return this.#found ?? this.#made ?? weightsIn('fp32', model, model.layout.views(parameters));
  }

  /** Keeps what was made for the next start. @throws MeanfieldError where it cannot be written */
  async keep(): Promise<void> {
    const made = this.#made;
    this.#made = undefined;
    if (made) await this.#kept?.write(made);
  }
}
