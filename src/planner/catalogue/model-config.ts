import { UsageError } from '../../base/errors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../base/json.js';
import table from './families.json' with { type: 'json' };
import { nearestNames } from './nearest.js';
import type { Bias, ModelShape } from './shape.js';

/** How a family's `config.json` is read: which key holds what (`a|b`: the first that is there, `a.b`: within), and its fixed traits. */
interface Family {
  readonly keys: Readonly<Partial<Record<keyof ModelShape, string>>>;
  readonly tiedHead: boolean;
  readonly positions: ModelShape['positions'];
  readonly feedForwardMatrices: 2 | 3;
  readonly normBias: boolean;
  readonly biases: readonly Bias[];
  /** Keys that, when true, give biases to these layers. */
  readonly biasKeys?: Readonly<Record<string, readonly Bias[]>>;
  readonly normsPerLayer?: number;
  readonly queryKeyNorm?: boolean;
  readonly embeddingNorm?: boolean;
  readonly finalNorm?: boolean;
  readonly pooler?: boolean;
  readonly causal?: boolean;
  /** Rows of learned positions beyond the context. */
  readonly extraPositions?: number;
  readonly tokenTypes?: string;
  readonly headSizeRequired?: boolean;
  /** Inner width over width, where the configuration does not say; the key that may say otherwise. */
  readonly feedForwardRatio?: number;
  readonly ratioKey?: string;
  /** Key that is true where positions are ALiBi's and not learned. */
  readonly alibiKey?: string;
  /** Key that, when not true, gives biases to all layers and norms. */
  readonly noBiasKey?: string;
  readonly contextDefault?: number;
  readonly experts?: { readonly count: string; readonly active: string };
  /** Values of keys that make another model of it, which the counts would be wrong for. */
  readonly refuse?: Readonly<Record<string, readonly JsonValue[]>>;
}

const families = table as unknown as Readonly<Record<string, Family>>;

/** Far above every model that was trained or proposed; keeps products of sizes exact integers. */
const LARGEST = { layers: 100_000, hidden: 10_000_000, vocabulary: 100_000_000 };
const LARGEST_OTHER = 1_000_000_000;

/**
 * The shape of a model from the content of a Hugging Face `config.json`.
 *
 * @throws UsageError for an unknown `model_type`, a missing key, or a value that cannot be
 */
export function readModelConfig(config: JsonValue): ModelShape {
  if (!isJsonObject(config)) throw new UsageError('A model configuration is a JSON object, as config.json has it.');
  const type = valueAt(config, 'model_type');
  if (typeof type !== 'string' || !Object.hasOwn(families, type)) {
    const names = Object.keys(families);
    const near = typeof type === 'string' ? ` Nearest: ${nearestNames(type, names, 3).join(', ')}.` : '';
    const fault = type === undefined ? 'No model_type' : `Unknown model_type ${brief(type)}`;
    throw new UsageError(`${fault}.${near} Allowed: ${names.join(', ')}.`);
  }
  const family = families[type]!;
  for (const [key, values] of Object.entries(family.refuse ?? {})) {
    const value = valueAt(config, key);
    if (values.includes(value!)) {
      throw new UsageError(`${type} with ${key} = ${brief(value)} is another model, which is not known here.`);
    }
  }
  return shapeOf(type, family, config);
}

function shapeOf(type: string, family: Family, config: JsonObject): ModelShape {
  const read = (field: keyof typeof family.keys, fallback?: number) => {
    const limit = Object.hasOwn(LARGEST, field) ? LARGEST[field as keyof typeof LARGEST] : LARGEST_OTHER;
    return sizeAt(type, config, family.keys[field], limit, fallback);
  };
  const hidden = read('hidden');
  const heads = read('heads');
  const keyValueHeads = read('keyValueHeads', heads);
  if (heads % keyValueHeads !== 0) {
    throw new UsageError(`${type}: ${heads} heads are not divisible by ${keyValueHeads} key and value heads.`);
  }
  const headSize = read('headSize', family.headSizeRequired ? undefined : hidden / heads);
  if (!Number.isInteger(headSize)) {
    throw new UsageError(`${type}: width ${hidden} is not divisible by ${heads} heads, and no head_dim is given.`);
  }
  const ratio =
    family.feedForwardRatio && sizeAt(type, config, family.ratioKey, LARGEST_OTHER, family.feedForwardRatio);
  const context = read('context', family.contextDefault);
  const positions = family.alibiKey && valueAt(config, family.alibiKey) !== true ? 'learned' : family.positions;
  const tied = valueAt(config, family.keys.tiedHead ?? '');
  const plainNorms = family.noBiasKey === undefined || valueAt(config, family.noBiasKey) === true;
  const experts = readExperts(type, family, config);
  return {
    family: type,
    layers: read('layers'),
    hidden,
    heads,
    keyValueHeads,
    headSize,
    feedForward: read('feedForward', ratio && ratio * hidden),
    feedForwardMatrices: family.feedForwardMatrices,
    vocabulary: read('vocabulary'),
    context,
    tiedHead: typeof tied === 'boolean' ? tied : family.tiedHead,
    positions,
    causal: family.causal ?? true,
    biases: biasesOf(family, config),
    normBias: family.normBias || !plainNorms,
    normsPerLayer: family.normsPerLayer ?? 2,
    embeddingNorm: family.embeddingNorm ?? false,
    finalNorm: family.finalNorm ?? true,
    queryKeyNorm: family.queryKeyNorm ?? false,
    positionRows: positions === 'learned' ? context + (family.extraPositions ?? 0) : 0,
    tokenTypes: family.tokenTypes ? sizeAt(type, config, family.tokenTypes, LARGEST_OTHER, 2) : 0,
    pooler: family.pooler ?? false,
    ...(experts ? { experts } : {}),
    crossAttentionLayers: 0,
    stacks: 1,
  };
}

function readExperts(type: string, family: Family, config: JsonObject): ModelShape['experts'] {
  if (!family.experts) return undefined;
  const count = sizeAt(type, config, family.experts.count, LARGEST.layers);
  const active = sizeAt(type, config, family.experts.active, LARGEST.layers);
  if (active > count) throw new UsageError(`${type}: a token passes ${active} experts of a layer that has ${count}.`);
  return { count, active };
}

function biasesOf(family: Family, config: JsonObject): readonly Bias[] {
  if (family.noBiasKey !== undefined && valueAt(config, family.noBiasKey) !== true) {
    return ['queryKeyValue', 'output', 'feedForward'];
  }
  const chosen = Object.entries(family.biasKeys ?? {}).filter(([key]) => valueAt(config, key) === true);
  return [...family.biases, ...chosen.flatMap(([, layers]) => layers)];
}

/** A whole number from 1 to a limit, at the first of the keys that is there. */
function sizeAt(type: string, config: JsonObject, keys: string | undefined, limit: number, fallback?: number): number {
  const value = (keys?.split('|') ?? []).map((key) => valueAt(config, key)).find((found) => found != null);
  if (value === undefined) {
    if (fallback !== undefined) return fallback;
    throw new UsageError(`A ${type} configuration needs ${keys?.replaceAll('|', ' or ')}, a whole number from 1.`);
  }
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= limit) return value;
  throw new UsageError(`${type}: expected ${keys} to be a whole number from 1 to ${limit}, got ${brief(value)}.`);
}

/** The value at a key of the object's own, or within it at `a.b`. */
function valueAt(config: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = config;
  for (const key of path.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A value of a file, short enough for a message. */
function brief(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return JSON.stringify(value).slice(0, 64);
}
