import { UsageError } from '../../base/errors.js';
import { isJsonObject, type JsonValue } from '../../base/json.js';
import { nearestNames } from '../../base/nearest.js';
import { someNames, unknownKeys } from '../../model/config-rules.js';
import { brief, PublishedConfig, type SizeName, sizeNames } from '../../model/published.js';
import table from './families.json' with { type: 'json' };
import type { Bias, ModelShape } from './shape.js';

/** Traits of a family that its configuration does not tell, and keys that change them (`a.b`: within `a`). */
interface Family {
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
  /** Keys that must have these values for a final norm. */
  readonly finalNormKeys?: Readonly<Record<string, boolean>>;
  readonly pooler?: boolean;
  readonly causal?: boolean;
  /** Rows of learned positions beyond the context. */
  readonly extraPositions?: number;
  readonly tokenTypes?: string;
  /** Key of the embedding's width, where it may differ from the model's. */
  readonly embeddingKey?: string;
  /** Inner width over width, where the configuration does not say; the key that may say otherwise. */
  readonly feedForwardRatio?: number;
  readonly ratioKey?: string;
  /** Key that is true where positions are ALiBi's and not learned. */
  readonly alibiKey?: string;
  /** Key that, when not true, gives biases to all layers and norms. */
  readonly noBiasKey?: string;
  readonly contextDefault?: number;
  /** Keys of experts; `dense`: of the layers without, and of their inner width. */
  readonly experts?: {
    readonly count: string;
    readonly active: string;
    readonly shared?: string;
    readonly dense?: string;
    readonly denseFeedForward?: string;
    readonly groups?: string;
    readonly activeGroups?: string;
  };
  /** Keys of latent attention's ranks and sizes of a head. */
  readonly latent?: Readonly<Record<keyof NonNullable<ModelShape['latent']>, string>>;
  /** Keys that may have these values alone: others make another model, which the counts would be wrong for. */
  readonly only?: Readonly<Record<string, readonly JsonValue[]>>;
}

const families = table as unknown as Readonly<Record<string, Family>>;

/** Far above every model that was trained or proposed; keeps products of sizes exact integers. */
const LARGEST = { layers: 100_000, hidden: 10_000_000, vocabulary: 100_000_000 };
const LARGEST_OTHER = 1_000_000_000;

/**
 * The shape of a model from the content of a Hugging Face `config.json`. A key that is left out has the default of its
 * family's published class.
 *
 * @throws UsageError for an unknown `model_type`, or a value that cannot be
 */
export function readModelConfig(config: JsonValue): ModelShape {
  const read = readKnown(config);
  const family = families[read.family]!;
  refuseOthers(family, read);
  return shapeOf(family, read);
}

/**
 * What a user should know of how a configuration was read: sizes that its class had to give, since a key that was
 * forgotten looks the same, and keys that nobody knows.
 */
export function modelNotices(config: JsonValue): string[] {
  const read = readKnown(config);
  // What is derived from the other sizes is no guess.
  const taken = read.leftOut().filter((key) => typeof read.value(key) === 'number');
  const sizeKeys = sizeNames.map((name) => read.sizeKey(name));
  const unknown = unknownKeys(read).filter((key) => !sizeKeys.includes(key));
  const values = taken.map((key) => `${key} ${read.value(key)}`).join(', ');
  return [
    ...(taken.length > 0 ? [`${read.className}'s defaults stand for what the file leaves out: ${values}.`] : []),
    ...(unknown.length > 0 ? [`${read.className} does not know these keys of the file: ${someNames(unknown)}.`] : []),
  ];
}

/** Every `model_type` whose models are counted. */
const countedFamilies = Object.keys(table);

function readKnown(config: JsonValue): PublishedConfig {
  if (!isJsonObject(config)) throw new UsageError('A model configuration is a JSON object, as config.json has it.');
  const type = Object.hasOwn(config, 'model_type') ? config.model_type : undefined;
  if (typeof type === 'string' && countedFamilies.includes(type)) return new PublishedConfig(type, config);
  const near = typeof type === 'string' ? ` Nearest: ${nearestNames(type, countedFamilies, 3).join(', ')}.` : '';
  const fault = type === undefined ? 'No model_type' : `Unknown model_type ${brief(type)}`;
  throw new UsageError(`${fault}.${near} Allowed: ${countedFamilies.join(', ')}.`);
}

function refuseOthers(family: Family, read: PublishedConfig): void {
  for (const [key, values] of Object.entries({ per_layer_config: [{}], ...family.only })) {
    const value = read.value(key);
    if (value === undefined || value === null) continue;
    if (!values.some((each) => JSON.stringify(each) === JSON.stringify(value))) {
      throw new UsageError(`${read.family} with ${key} = ${brief(value)} is another model, which is not known here.`);
    }
  }
}

function shapeOf(family: Family, config: PublishedConfig): ModelShape {
  const type = config.family;
  const read = (name: SizeName, fallback?: number) => {
    const limit = Object.hasOwn(LARGEST, name) ? LARGEST[name as keyof typeof LARGEST] : LARGEST_OTHER;
    return sizeAt(config, config.sizeKey(name), limit, fallback);
  };
  const hidden = read('hidden');
  const heads = read('heads');
  const keyValueHeads = read('keyValueHeads', heads);
  if (heads % keyValueHeads !== 0) {
    throw new UsageError(`${type}: ${heads} heads are not divisible by ${keyValueHeads} key and value heads.`);
  }
  const latent = readLatent(family, config);
  const headSize = latent ? latent.plain + latent.rotated : read('headSize', hidden / heads);
  if (!Number.isInteger(headSize)) {
    throw new UsageError(`${type}: width ${hidden} is not divisible by ${heads} heads, and no head_dim is given.`);
  }
  const ratio = family.feedForwardRatio && sizeAt(config, family.ratioKey, LARGEST_OTHER, family.feedForwardRatio);
  const context = read('context', family.contextDefault);
  const positions = family.alibiKey && config.value(family.alibiKey) !== true ? 'learned' : family.positions;
  const plainNorms = family.noBiasKey === undefined || config.value(family.noBiasKey) === true;
  const normKeys = Object.entries(family.finalNormKeys ?? {});
  const layers = read('layers');
  const experts = readExperts(family, config, layers);
  return {
    family: type,
    layers,
    hidden,
    heads,
    keyValueHeads,
    headSize,
    feedForward: read('feedForward', ratio && ratio * hidden),
    feedForwardMatrices: family.feedForwardMatrices,
    vocabulary: read('vocabulary'),
    embedding: family.embeddingKey ? sizeAt(config, family.embeddingKey, LARGEST.hidden, hidden) : hidden,
    context,
    tiedHead: config.value('tie_word_embeddings') === true,
    positions,
    causal: family.causal ?? true,
    biases: biasesOf(family, config),
    normBias: family.normBias || !plainNorms,
    normsPerLayer: family.normsPerLayer ?? 2,
    embeddingNorm: family.embeddingNorm ?? false,
    finalNorm: (family.finalNorm ?? true) && normKeys.every(([key, value]) => config.value(key) === value),
    queryKeyNorm: family.queryKeyNorm ?? false,
    positionRows: positions === 'learned' ? context + (family.extraPositions ?? 0) : 0,
    tokenTypes: family.tokenTypes ? sizeAt(config, family.tokenTypes, LARGEST_OTHER) : 0,
    pooler: family.pooler ?? false,
    ...(experts ? { experts } : {}),
    ...(latent ? { latent } : {}),
    crossAttentionLayers: 0,
    stacks: 1,
  };
}

function readExperts(family: Family, config: PublishedConfig, layers: number): ModelShape['experts'] {
  if (!family.experts) return undefined;
  const count = sizeAt(config, family.experts.count, LARGEST.layers);
  const active = sizeAt(config, family.experts.active, LARGEST.layers);
  if (active > count) {
    throw new UsageError(`${config.family}: a token passes ${active} experts of a layer that has ${count}.`);
  }
  const { shared, dense, denseFeedForward } = family.experts;
  if (shared === undefined || dense === undefined) return { count, active };
  return {
    count,
    active,
    shared: countAt(config, shared),
    denseLayers: Math.min(layers, countAt(config, dense)),
    denseFeedForward: sizeAt(config, denseFeedForward, LARGEST_OTHER),
    ...readGroups(family.experts, config, count),
  };
}

/** Groups that a token's experts must lie in; none where all of them may be used. */
function readGroups(
  keys: NonNullable<Family['experts']>,
  config: PublishedConfig,
  experts: number,
): Pick<NonNullable<ModelShape['experts']>, 'groups'> {
  if (keys.groups === undefined || config.value(keys.groups) == null) return {};
  const count = sizeAt(config, keys.groups, LARGEST.layers);
  const active = sizeAt(config, keys.activeGroups, LARGEST.layers);
  const fits = active <= count && experts % count === 0;
  // The class's own groups are for its own number of experts.
  if (!fits && config.given[keys.groups] === undefined && config.given[keys.activeGroups!] === undefined) return {};
  if (!fits) {
    throw new UsageError(
      `${config.family}: ${experts} experts in ${keys.groups} ${count}, of which a token uses ${keys.activeGroups} ${active}. ` +
        'Expected groups of equally many experts, and no more in use than there are.',
    );
  }
  return active === count ? {} : { groups: { count, active } };
}

/** A size that may be none at all. */
function countAt(config: PublishedConfig, key: string): number {
  return config.value(key) === 0 ? 0 : sizeAt(config, key, LARGEST.layers);
}

function readLatent({ latent }: Family, config: PublishedConfig): ModelShape['latent'] {
  if (!latent) return undefined;
  const size = (key: string) => sizeAt(config, key, LARGEST.hidden);
  const withoutRank = config.given[latent.query] === null;
  return {
    query: withoutRank ? null : size(latent.query),
    keyValue: size(latent.keyValue),
    plain: size(latent.plain),
    rotated: size(latent.rotated),
    value: size(latent.value),
  };
}

function biasesOf(family: Family, config: PublishedConfig): readonly Bias[] {
  if (family.noBiasKey !== undefined && config.value(family.noBiasKey) !== true) {
    return ['queryKeyValue', 'output', 'feedForward'];
  }
  const chosen = Object.entries(family.biasKeys ?? {}).filter(([key]) => config.value(key) === true);
  return [...family.biases, ...chosen.flatMap(([, layers]) => layers)];
}

/** A whole number from 1 to a limit, given or by default; the fallback where the class derives it. */
function sizeAt(config: PublishedConfig, key: string | undefined, limit: number, fallback?: number): number {
  const value = key === undefined ? undefined : config.value(key);
  if (value === undefined || value === null) {
    if (fallback !== undefined) return fallback;
    throw new UsageError(`A ${config.family} configuration needs ${key}, a whole number from 1.`);
  }
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= limit) return value;
  throw new UsageError(
    `${config.family}: expected ${key} to be a whole number from 1 to ${limit}, got ${brief(value)}.`,
  );
}
