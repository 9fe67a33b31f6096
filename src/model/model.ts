import { UsageError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import {
  type AttentionOptions,
  addAll,
  attention,
  constant,
  gemm,
  input,
  repeatHeads,
  softcap,
  type Tensor,
} from '../graph/index.js';
import {
  type AdaptableLayer,
  type AdaptedLayer,
  adaptedHead,
  adaptedLayers,
  adaptedScores,
  adapterHook,
  adapterParameters,
  embeddingHook,
  HEAD,
  type LinearLayer,
  type LoraSettings,
  type TrainedParts,
} from './adapter.js';
import {
  type Architecture,
  type Attend,
  type Dimensions,
  DROPOUT,
  EMBEDDING,
  type ForwardInputs,
  type HeadInputs,
  LAYER,
  type LayerAttention,
  LINEAR,
  type Reach,
  type Stack,
  type TaskHead,
  type TracedParameters,
} from './architecture.js';
import { BaseStorage, type FrozenValues, type StoredArray } from './base-storage.js';
import { findArchitecture, taskHeadOf } from './families.js';
import type { BaseDtype } from './family-names.js';
import { frozenNames } from './freeze.js';
import { ParameterLayout } from './layout.js';
import { filledMask, packedMask, type TokenInputs } from './packing.js';
import { relativeBias } from './relative-bias.js';
import { type SavedParameter, savedParameters, savedSpecs, startSaved, withSaved } from './saved-modules.js';
import {
  scoresWithTokenRows,
  startTokenRows,
  type TokenRows,
  tokenRowsOf,
  tokenRowsParameters,
  withTokenRows,
} from './token-rows.js';

/** A model of tokens: its architecture, its validated `config.json`, and where its parameters lie. */
export class Model {
  readonly architecture: Architecture;
  readonly config: unknown;
  /** All parameters, as model files hold them; an adapter's are beside them. */
  readonly layout: ParameterLayout;
  /**
   * Those that are trained, as optimiser, averaging, checkpoints and hashes hold them: all, unless some are frozen; with an
   * adapter, its own.
   */
  readonly trained: ParameterLayout;
  /** Those that stay as they are, fed beside the trained. */
  readonly frozen: ParameterLayout;
  readonly dimensions: Dimensions;
  /** How long sequences may be, where positions are followed beyond the context. */
  readonly reach: Reach;
  /** What stands on an encoder, as `architectures` in its configuration says; none on a bare one. */
  readonly taskHead: TaskHead | undefined;
  /** The layers with an adapter; none where the model's own parameters are trained. */
  readonly adapted: readonly AdaptedLayer[];
  /** The rows of added tokens that are trained beside an adapter; none where there are no such tokens. */
  readonly tokenRows: readonly TokenRows[];
  /** Parameters of which copies are trained beside an adapter, in their place. */
  readonly saved: readonly SavedParameter[];
  /** How the frozen parameters are kept in memory, where that is not as one vector. */
  readonly storage: BaseStorage | undefined;

  private constructor(
    architecture: Architecture,
    config: unknown,
    freeze: readonly string[] = [],
    adapted: readonly AdaptedLayer[] = [],
    stored?: { readonly dtype: Exclude<BaseDtype, 'fp32'>; readonly layers: readonly LinearLayer[] },
    tokenRows: readonly TokenRows[] = [],
    saved: readonly SavedParameter[] = [],
  ) {
    this.adapted = adapted;
    this.tokenRows = tokenRows;
    this.saved = saved;
    this.architecture = architecture;
    this.config = config;
    this.taskHead = taskHeadOf(architecture, config);
    const parameters = [...architecture.parameters(config), ...(this.taskHead?.parameters(config) ?? [])];
    this.layout = new ParameterLayout(parameters);
    const model = { names: parameters.map(({ name }) => name), head: architecture.head(config) };
    this.dimensions = architecture.dimensions(config);
    const { context } = this.dimensions;
    this.reach = architecture.reach?.(config) ?? { read: context, written: context };
    if (adapted.length > 0) {
      this.trained = new ParameterLayout([
        ...adapterParameters(adapted),
        ...tokenRowsParameters(tokenRows),
        ...savedSpecs(saved),
      ]);
      this.frozen = this.layout;
      this.storage = stored && new BaseStorage(this.layout, stored.dtype, stored.layers);
      return;
    }
    const frozen = frozenNames(model, freeze);
    this.frozen = new ParameterLayout(parameters.filter(({ name }) => frozen.has(name)));
    this.trained =
      frozen.size === 0 ? this.layout : new ParameterLayout(parameters.filter(({ name }) => !frozen.has(name)));
  }

  /**
   * A model from the content of a Hugging Face `config.json`.
   *
   * @throws UsageError for an unknown `model_type` or a configuration that its family cannot be
   */
  static fromConfig(config: unknown): Model {
    const type = (config as { model_type?: unknown } | null)?.model_type;
    const architecture = findArchitecture(String(type));
    return new Model(architecture, architecture.parse(config));
  }

  /** A new model of an architecture with the given sizes. */
  static create(family: string, dimensions: Dimensions): Model {
    const found = findArchitecture(family);
    return new Model(found, found.configure(dimensions));
  }

  /**
   * The same model with the parameters frozen that patterns name: see {@link frozenNames}.
   *
   * @throws UsageError when a pattern fits nothing, or nothing is left to train
   */
  freeze(patterns: readonly string[]): Model {
    return patterns.length === 0 ? this : new Model(this.architecture, this.config, patterns);
  }

  /**
   * The same model, all of it frozen, with an adapter to be trained beside its linear layers.
   *
   * @throws UsageError when a target fits none of them
   */
  adapt(settings: LoraSettings, baseDtype?: BaseDtype): Model {
    const layers = this.adaptableLayers();
    const rows = settings.tokens ? tokenRowsOf(layers, this.dimensions, settings.tokens) : [];
    const head = layers.some(({ tied }) => tied) ? HEAD : undefined;
    const saved = savedParameters(this.layout.entries, settings.modulesToSave ?? [], head);
    return this.withAdapter(adaptedLayers(layers, settings, saved), baseDtype, rows, saved);
  }

  /** The same model as training has it: with an adapter, or parts of it frozen. @throws UsageError as either */
  partly({ freeze = [], adapter, baseDtype }: TrainedParts): Model {
    return adapter ? this.adapt(adapter, baseDtype) : this.freeze(freeze);
  }

  /** The same model, all of it frozen, with an adapter beside the given ones of its linear layers. */
  withAdapter(
    layers: readonly AdaptedLayer[],
    baseDtype: BaseDtype = 'fp32',
    rows: readonly TokenRows[] = [],
    saved: readonly SavedParameter[] = [],
  ): Model {
    const stored = baseDtype === 'fp32' ? undefined : { dtype: baseDtype, layers: this.linearLayers() };
    return new Model(this.architecture, this.config, [], layers, stored, rows, saved);
  }

  /**
   * The vectors that training begins with: the same for the same generator, whatever is frozen.
   *
   * @param all the model's own parameters, where they are known already
   */
  initialize(
    random: Random,
    all = this.layout.initialize(random),
  ): { readonly trained: Float32Array; readonly frozen: Float32Array } {
    if (this.adapted.length === 0) return this.cut(all);
    const trained = this.trained.initialize(random);
    const [into, own] = [this.trained.views(trained), this.layout.views(all)];
    startTokenRows(this.tokenRows, into, own);
    startSaved(this.saved, into, own);
    return { trained, frozen: all };
  }

  /** The linear layers that hidden states, and the scores from them, come through, in that order; not the head itself. */
  linearLayers(): LinearLayer[] {
    // Not those of an adapter, which has the same hook.
    if (this.adapted.length > 0) return new Model(this.architecture, this.config).linearLayers();
    const found: LinearLayer[] = [];
    const parameters: TracedParameters = {
      ...this.parameterInputs(),
      [LINEAR]: (name, x_NI, y_NO, rows) => {
        found.push({ name, inputs: x_NI.shape[1]!, outputs: y_NO.shape[1]!, rows });
        return y_NO;
      },
    };
    const ids = constant(BigInt64Array.of(0n), [1]);
    const x_NC = this.architecture.encoder
      ? this.hiddenOfTarget(parameters, { source: { ids_N: ids, length: 1 }, target: { ids_N: ids, length: 1 } }, 1)
      : this.hidden(parameters, ids, 1, 1);
    if (this.scoresTokens) this.logits(parameters, x_NC);
    return found;
  }

  /**
   * The layers that an adapter can stand beside, in the model's order: the {@link linearLayers}, and of models that write the
   * embedding before them and the head after them; where the two are one matrix, that matrix is named as the embedding.
   */
  adaptableLayers(): AdaptableLayer[] {
    const linear = this.linearLayers();
    const { architecture, config, dimensions } = this;
    if (architecture.heads || architecture.encoder) return linear;
    let name: string | undefined;
    const noted: TracedParameters = {
      ...new Model(architecture, config).parameterInputs(),
      [EMBEDDING]: (embedding, _ids_N, x_NC) => {
        name = embedding;
        return x_NC;
      },
    };
    new Model(architecture, config).hidden(noted, constant(BigInt64Array.of(0n), [1]), 1, 1);
    const { vocabulary: V, width: C } = dimensions;
    const head = architecture.head(config).replace(/\.weight$/, '');
    const tied = name === head;
    return [
      ...(name === undefined
        ? []
        : [{ name, inputs: V, outputs: C, rows: 'inputs', role: 'embedding', ...(tied && { tied }) } as const]),
      ...linear,
      ...(tied ? [] : [{ name: head, inputs: C, outputs: V, rows: 'outputs', role: 'head' } as const]),
    ];
  }

  /** The trained and the frozen vector out of that of all parameters; where nothing is frozen, that vector itself. */
  cut(all: Float32Array): { readonly trained: Float32Array; readonly frozen: Float32Array } {
    const { layout, trained, frozen } = this;
    if (frozen.size === 0) return { trained: all, frozen: new Float32Array(0) };
    const views = layout.views(all);
    return { trained: trained.fill(views), frozen: frozen.fill(views) };
  }

  /** The vector of all parameters; where nothing is frozen, the trained one itself. */
  join(trained: Float32Array, frozen: Float32Array): Float32Array {
    return this.frozen.size === 0 ? trained : this.layout.fill(this.views(trained, frozen));
  }

  /** Views of the trained and the frozen vector, by the parameters' names; nothing is copied. */
  views(trained: Float32Array, frozen: Float32Array): Record<string, Float32Array> {
    return { ...this.trained.views(trained), ...this.frozen.views(frozen) };
  }

  /** What the inputs of {@link parameterInputs} are fed, by their names; nothing is copied. */
  arrays(trained: Float32Array, frozen: FrozenValues): Record<string, StoredArray> {
    return frozen instanceof Float32Array ? this.views(trained, frozen) : { ...this.trained.views(trained), ...frozen };
  }

  /** One graph input a parameter, by Hugging Face's names; of one that is kept in few bits as many as it has arrays. */
  parameterInputs(): TracedParameters {
    const entries = [
      ...(this.storage ? [] : this.layout.entries),
      ...(this.adapted.length > 0 ? this.trained.entries : []),
    ];
    const inputs = Object.fromEntries(entries.map(({ name, shape }) => [name, input(name, shape)]));
    return { ...this.storage?.traced(), ...inputs };
  }

  /**
   * The last hidden state of `batch` sequences of `length` tokens, each attending to its own tokens: the past, or all.
   *
   * @param ids_N int64, time-major: element t · B + b
   * @param beside what is told of tokens beside their ids: where a sequence holds several texts none sees another, and
   * none sees what fills a sequence up
   * @returns [N, C]
   */
  hidden(parameters: TracedParameters, ids_N: Tensor, batch: number, length: number, beside: TokenInputs = {}): Tensor {
    const { heads, keyValueHeads } = this.dimensions;
    const groups = heads / keyValueHeads;
    const causal = this.architecture.sees === 'past';
    const { positions_N, starts_N, own_N, types_N } = beside;
    const masks = [
      ...(starts_N ? [packedMask(starts_N, batch, length)] : []),
      ...(own_N ? [filledMask(own_N, batch, length)] : []),
    ];
    const mask = masks.length > 0 ? addAll(masks) : undefined;
    const { [DROPOUT]: dropped } = this.#withAdapter(parameters);
    const attend: Attend = (_layer, q, k, v, options) =>
      attention(
        q,
        repeatHeads(k, groups),
        repeatHeads(v, groups),
        { ...scoring(options, length), causal },
        mask,
        dropped,
      );
    const positions_T = positions_N ?? steps(length);
    return this.forward(parameters, { ids_N, batch, positions_T, attend, types_N, own_N, reach: length });
  }

  /**
   * The last hidden state of sources, [M, C], by the layers that read them.
   *
   * @throws Error where the architecture has none
   */
  encode(given: TracedParameters, { ids_N, length, own_N }: TokenSequences, batch: number): Tensor {
    const { [DROPOUT]: dropped } = this.#withAdapter(given);
    const mask = own_N && filledMask(own_N, batch, length);
    const attend: Attend = (_layer, q, k, v, options) =>
      attention(q, k, v, { ...scoring(options, length), causal: false }, mask, dropped);
    const inputs: ForwardInputs = { ids_N, batch, positions_T: steps(length), attend, own_N };
    return this.forwardSource(given, inputs);
  }

  /**
   * The last hidden state of sources, [M, C], with attention as it is given.
   *
   * @throws Error where the architecture has no layers that read them
   */
  forwardSource(given: TracedParameters, inputs: ForwardInputs): Tensor {
    const { architecture, config } = this;
    const { encoder } = architecture;
    if (!encoder) throw new Error(`a ${architecture.name} model reads no source`);
    return through(encoder, config, encoder.layers(config), this.#withAdapter(given), inputs);
  }

  /**
   * The last hidden state of what is written beside sources, [N, C]: each token attends to those before it, and to all of
   * its source.
   */
  hiddenOfTarget(
    parameters: TracedParameters,
    { source, target }: { readonly source: TokenSequences; readonly target: TokenSequences },
    batch: number,
  ): Tensor {
    const x_MC = this.encode(parameters, source, batch);
    const { [DROPOUT]: dropped } = this.#withAdapter(parameters);
    const { ids_N, length } = target;
    const mask = source.own_N && filledMask(source.own_N, batch, source.length, length);
    return this.forward(parameters, {
      ids_N,
      batch,
      positions_T: steps(length),
      attend: (_layer, q, k, v, options) => attention(q, k, v, scoring(options, length), undefined, dropped),
      attendSource: (_layer, q, project, options) => {
        const [k, v] = project(x_MC);
        return attention(q, k, v, { ...scoring(options, source.length), causal: false }, mask, dropped);
      },
    });
  }

  /**
   * The last hidden state, [N, C], with attention as it is given.
   *
   * @throws UsageError for a model that reads a source, where none is given
   */
  forward(given: TracedParameters, inputs: ForwardInputs): Tensor {
    const { architecture, config } = this;
    if (architecture.encoder && !inputs.attendSource)
      throw new UsageError(
        `A ${architecture.name} model reads a source beside what it writes, and here are texts alone. Use a model that ` +
          'continues texts, or reads them.',
      );
    const parameters = this.#withAdapter(given);
    return through(architecture, config, this.dimensions.layers, parameters, inputs);
  }

  /** The weights that score the vocabulary's tokens, [V, C]; with an adapter beside them both together. */
  head(given: TracedParameters): Tensor {
    const parameters = withSaved(given, this.saved);
    const rows = this.#headRows;
    const weight_VC = rows ? withTokenRows(parameters, rows) : parameters[this.architecture.head(this.config)]!;
    return this.#headAdapter ? adaptedHead(parameters, this.#headAdapter, weight_VC) : weight_VC;
  }

  get #headRows(): TokenRows | undefined {
    return this.tokenRows.find(({ name }) => `${name}.weight` === this.architecture.head(this.config));
  }

  get #headAdapter(): AdaptedLayer | undefined {
    return this.adapted.find(({ role, tied }) => role === 'head' || tied);
  }

  /** Whether it scores the tokens of the vocabulary: those that follow, or those that were masked. */
  get scoresTokens(): boolean {
    return !this.architecture.heads || this.taskHead?.task === 'masked';
  }

  /** What the head's scores x are bent to, c tanh(x / c); undefined where they are not. */
  get softcap(): number | undefined {
    return this.architecture.softcap?.(this.config);
  }

  /**
   * Scores of every token of the vocabulary, [N, V], from a hidden state [N, C].
   *
   * @throws Error where {@link scoresTokens} is false
   */
  logits(given: TracedParameters, x_NC: Tensor): Tensor {
    const parameters = withSaved(given, this.saved);
    if (!this.scoresTokens) throw new Error(`a ${this.architecture.name} model of another head scores no tokens`);
    if (this.taskHead) return this.scores(given, x_NC, { batch: 1 });
    const weight_VC = parameters[this.architecture.head(this.config)]!;
    const own_NV = gemm(x_NC, weight_VC, undefined, { transB: true });
    const [adapter, rows] = [this.#headAdapter, this.#headRows];
    const rowed_NV = rows ? scoresWithTokenRows(parameters, rows, x_NC, own_NV) : own_NV;
    const scores_NV = adapter ? adaptedScores(parameters, adapter, x_NC, rowed_NV) : rowed_NV;
    return this.softcap === undefined ? scores_NV : softcap(scores_NV, this.softcap);
  }

  /**
   * What its {@link taskHead} says of the last hidden state.
   *
   * @throws Error where it has none
   */
  scores(parameters: TracedParameters, x_NC: Tensor, inputs: HeadInputs): Tensor {
    if (!this.taskHead) throw new Error(`a bare ${this.architecture.name} model has no head`);
    return this.taskHead.scores(this.config, this.#withAdapter(parameters), x_NC, inputs);
  }

  #withAdapter(given: TracedParameters): TracedParameters {
    if (this.adapted.length === 0) return given;
    const parameters = withSaved(given, this.saved);
    // What stays as it is drops nothing: PEFT's lora_dropout is of the adapter's input alone.
    const [linear, embedding] = [
      adapterHook(parameters, this.adapted),
      embeddingHook(parameters, this.adapted, this.tokenRows),
    ];
    // Who traces a model whose embedding has no adapter keeps a hook of their own there.
    const plain = this.tokenRows.length === 0 && this.adapted.every(({ role }) => role !== 'embedding');
    const rows = (plain && given[EMBEDDING]) || embedding;
    return { ...parameters, [DROPOUT]: undefined, [LINEAR]: linear, [EMBEDDING]: rows };
  }
}

/** Sequences of one length. */
export interface TokenSequences {
  /** int64, time-major: element t · B + b. */
  readonly ids_N: Tensor;
  /** Tokens of each. */
  readonly length: number;
  /** 1 for a sequence's own tokens, 0 for what fills it up; all 1 where it is left out. */
  readonly own_N?: Tensor | undefined;
}

/** Positions from 0, [T]. */
const steps = (length: number): Tensor =>
  constant(
    BigInt64Array.from({ length }, (_, t) => BigInt(t)),
    [length],
  );

/** What a layer asks of attention, for sequences of queries and keys that both begin at position 0. */
function scoring({ relative, ...options }: LayerAttention = {}, length: number): AttentionOptions {
  return { ...options, ...(relative && { bias: relativeBias(relative, length, length) }) };
}

/** Hidden states through layers. */
function through(
  stack: Stack,
  config: unknown,
  layers: number,
  parameters: TracedParameters,
  inputs: ForwardInputs,
): Tensor {
  const between = parameters[LAYER] ?? ((_layer, x_NC) => x_NC);
  let x_NC = between(0, stack.embed(config, parameters, inputs));
  for (let i = 0; i < layers; i++) x_NC = between(i + 1, stack.block(config, parameters, i, x_NC, inputs));
  return stack.final(config, parameters, x_NC);
}
