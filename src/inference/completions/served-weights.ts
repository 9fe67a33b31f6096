import type { Engine } from '../../engine/engine.js';
import type { LoadedModel, OpenTextModel } from '../../hub/load-model.js';
import { MEAN } from '../../hub/sentence-folder.js';
import type { Model } from '../../model/model.js';
import { canHaveCodes, type EncoderCodes, encoderCodes } from '../encoder-codes.js';
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
  async read(opened: OpenTextModel): Promise<Float32Array> {
    const { model, path, state, parameters } = opened;
    const { precision, engine } = this;
    if (precision === 'fp32' || model.architecture.sees === 'all') return parameters();
    if (!isFused(engine, model)) {
      this.#stayWhole(model);
      return parameters();
    }
    const cache = cacheFolder();
    if (state && cache !== undefined)
      this.#kept = new KeptWeights(model, precision, { place: path, state: await state(), cache });
    this.#found = await this.#kept?.read();
    if (this.#found) return NONE;
    this.#made = await weightsBy(engine, this.threads, precision, opened);
    return NONE;
  }

  /** The weights of a model that turns texts into vectors, once it is {@link read}; undefined where they stay as they are. */
  async encoder({ model, parameters, sentence = MEAN }: LoadedModel): Promise<EncoderCodes | undefined> {
    const { precision, engine, threads } = this;
    if (precision === 'fp32') return undefined;
    if (!(await canHaveCodes(engine, model, sentence))) {
      this.#stayWhole(model);
      return undefined;
    }
    if (precision === 'int4')
      this.notice = `A ${model.architecture.name} model is served in int8: int4 is for models that continue texts.`;
    return encoderCodes(engine, model, model.layout.views(parameters), { threads });
  }

  #stayWhole({ architecture }: Model): void {
    this.notice =
      `A ${architecture.name} model on ${this.engine.name} is served in fp32: ${this.#precision} is for models that continue ` +
      'texts or turn them into vectors, on the CPU.';
    this.#precision = 'fp32';
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
