import { UsageError } from '../base/errors.js';
import type { AnySizeEngine, Engine, HostArrays, SessionOptions } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import { Decoder } from './decoder.js';
import { fusedNeeds } from './fused-program.js';
import { FusedSequences } from './fused-sequences.js';
import type { WeightPrecision } from './precision.js';
import type { SequenceDecoder, Sequences } from './sequences.js';
import { type Weights, weightsIn } from './weights.js';

/** What a decoder computes with. */
export interface DecodingOptions {
  readonly model: Model;
  /** The model's vector, as its layout describes it, or what its inputs are fed by name, not copied; or its weights. */
  readonly parameters: Float32Array | HostArrays | Weights;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
}

/** Whether an engine runs {@link FusedSequences} of a model. */
export function isFused(engine: Engine, model: Model): engine is AnySizeEngine {
  return engine.compileAnySize !== undefined && fusedNeeds(model).fits;
}

/** An engine, as one for a decoder with weights in few bits. @throws UsageError where it is none, or the model has none */
export function fusingEngine(engine: Engine, model: Model, precision: 'int8' | 'int4'): AnySizeEngine {
  if (model.architecture.sees === 'past' && isFused(engine, model)) return engine;
  throw unknownPrecision(engine, model, precision);
}

/** What is thrown where weights in few bits are not for a model on an engine. */
export const unknownPrecision = (engine: Engine, { architecture }: Model, precision: WeightPrecision): UsageError =>
  new UsageError(
    `A ${architecture.name} model on ${engine.name} cannot be used in ${precision}: that is for models that continue ` +
      'texts and, in int8, those that turn them into vectors, on the CPU. Leave precision out.',
  );

/** A decoder of one sequence: by the fused operator where the engine has it for such a model. */
export function createDecoder({ parameters, ...options }: DecodingOptions): SequenceDecoder {
  const { engine, model } = options;
  if (isWeights(parameters)) return new FusedDecoder(fusedSequences({ ...options, weights: parameters }));
  if (!isFused(engine, model)) return new Decoder({ ...options, parameters });
  const views = parameters instanceof Float32Array ? model.layout.views(parameters) : parameters;
  const own = views as Readonly<Record<string, Float32Array>>;
  const weights = weightsIn('fp32', model, own, { constant: !engine.views });
  return new FusedDecoder(fusedSequences({ ...options, weights }));
}

/**
 * Sequences by the fused operator. Threads of a session wait for their part of each of its hundreds of small products by
 * spinning, by the engine's default: they stop at the end of a run, and waking them anew costs a third of a token's time.
 *
 * @throws Error where {@link isFused} is false
 */
export function fusedSequences(
  options: Omit<DecodingOptions, 'parameters'> & { readonly weights: Weights; readonly slots?: number | undefined },
) {
  const { engine, model, weights, slots } = options;
  if (!isFused(engine, model)) throw new Error(`${engine.name} has no fused attention for this model`);
  return new FusedSequences({ model, weights, engine, slots, compile: options.compile });
}

function isWeights(parameters: DecodingOptions['parameters']): parameters is Weights {
  return 'constants' in parameters && parameters.constants instanceof Map;
}

/** The one sequence of many that could be. */
class FusedDecoder implements SequenceDecoder {
  readonly #sequence: number;

  constructor(private readonly sequences: Sequences) {
    this.#sequence = sequences.open();
  }

  get context(): number {
    return this.sequences.context;
  }

  get turn(): number {
    return this.sequences.turn;
  }

  get length(): number {
    return this.sequences.lengthOf(this.#sequence);
  }

  step(ids: ArrayLike<number>, most?: number) {
    return this.sequences.read(this.#sequence, ids, most);
  }

  clear(): void {
    this.sequences.cut(this.#sequence, 0);
  }

  dispose(): Promise<void> {
    return this.sequences.dispose();
  }
}
