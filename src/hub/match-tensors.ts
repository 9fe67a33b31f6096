import { MeanfieldError } from '../base/errors.js';
import type { SafetensorsFile } from '../base/files/safetensors.js';
import type { TensorInfo } from '../base/safetensors-header.js';
import { someNames } from '../model/config-rules.js';
import { FileNames } from '../model/file-names.js';
import type { ParameterEntry } from '../model/layout.js';
import type { Model } from '../model/model.js';
import type { PublishedConfig } from '../model/published.js';

/** What a file of weights holds. */
export interface TensorNames {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, Pick<TensorInfo, 'name' | 'shape'>>;
}

/** Weights under names that may be another spelling of the model's. */
export interface NamedWeights extends TensorNames, Pick<SafetensorsFile, 'readFloat32'> {
  /** What tells this state of the files from another, as far as the file system knows. */
  readonly state: () => Promise<string>;
  /** Of safetensors files alone: bytes of a tensor as they lie there. */
  readonly readRange?: SafetensorsFile['readRange'];
}

/** A parameter, and the tensors of a file that hold it. */
export interface MatchedTensor {
  readonly entry: ParameterEntry;
  readonly name: string;
  /** Tensors that hold it once more: tied ones. */
  readonly copies: readonly string[];
}

/** Which tensors of a file are which parameters of a model. */
export interface MatchedTensors {
  readonly tensors: readonly MatchedTensor[];
  /** Tensors that nobody here knows. */
  readonly unknown: readonly string[];
}

/**
 * Finds a model's parameters among a file's tensors, by any spelling of their names that `file-names.json` tells of.
 *
 * @throws MeanfieldError naming what is missing, of another shape, or there under two names
 */
export function matchTensors(weights: TensorNames, model: Model, config: PublishedConfig): MatchedTensors {
  const { entries } = model.layout;
  const names = new FileNames(model.architecture.name, new Set(entries.map(({ name }) => name)));
  const found = new Map<string, string[]>();
  const copies = new Map<string, string[]>();
  const unknown: string[] = [];
  for (const name of weights.tensors.keys()) {
    const tensor = names.find(name);
    if (tensor.kind === 'parameter' || tensor.kind === 'copy') {
      const among = tensor.kind === 'parameter' ? found : copies;
      among.set(tensor.parameter, [...(among.get(tensor.parameter) ?? []), name]);
    } else if (tensor.kind === 'unknown') unknown.push(name);
  }
  const twice = [...found.values()].filter((each) => each.length > 1);
  if (twice.length > 0)
    throw new MeanfieldError(
      `${weights.path} has parameters under more than one name: ${someNames(twice.map((each) => each.join(' and ')))}. ` +
        'Which of them counts, nobody can tell: delete the others.',
    );

  const tensors: MatchedTensor[] = [];
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const entry of entries) {
    const [name, ...others] = [...(found.get(entry.name) ?? []), ...(copies.get(entry.name) ?? [])];
    if (name === undefined) {
      missing.push(entry.name);
      continue;
    }
    for (const each of [name, ...others]) {
      const { shape } = weights.tensors.get(each)!;
      if (shape.join() !== entry.shape.join())
        misshapen.push(`${each} has shape [${shape.join(', ')}], but config.json asks for [${entry.shape.join(', ')}]`);
    }
    tensors.push({ entry, name, copies: others });
  }
  if (missing.length > 0 || misshapen.length > 0) {
    throw new MeanfieldError(`${weights.path}: ${faults(model, config, { missing, misshapen, unknown })}`);
  }
  return { tensors, unknown };
}

/** A bias or a norm that the configuration does not tell of would be left out in silence. */
export function unusedNotices({ path }: TensorNames, model: Model, unknown: readonly string[]): string[] {
  if (unknown.length === 0) return [];
  return [
    `${path} has ${unknown.length} tensors that a ${model.architecture.name} model of this configuration does not have: ` +
      `${someNames(unknown)}. They are not used, so this may be another model than its config.json says.`,
  ];
}

interface Faults {
  readonly missing: readonly string[];
  readonly misshapen: readonly string[];
  readonly unknown: readonly string[];
}

function faults(model: Model, config: PublishedConfig, { missing, misshapen, unknown }: Faults): string {
  const parts: string[] = [];
  if (missing.length > 0) {
    parts.push(`there is no tensor ${someNames(missing)}`);
    const head = new Set(model.taskHead?.parameters(model.config).map(({ name }) => name));
    if (missing.every((name) => head.has(name)))
      parts.push(
        `All of that belongs to the head of ${JSON.stringify(config.given.architectures ?? 'a ForMaskedLM')}: for the ` +
          'model without a head, let "architectures" in config.json name its bare class',
      );
  }
  if (misshapen.length > 0) {
    parts.push(
      `${missing.length > 0 ? 'Tensor' : 'tensor'} ${misshapen.slice(0, 3).join('; ')}${more(misshapen.length - 3)}`,
    );
    const leftOut = config.leftOut();
    if (leftOut.length > 0)
      parts.push(`It leaves out ${leftOut.join(', ')}, for which ${config.className}'s defaults stand`);
  }
  if (unknown.length > 0) parts.push(`It has what is not known here: ${someNames(unknown)}`);
  return `${parts.join('. ')}. The weights and config.json do not belong together.`;
}

const more = (count: number): string => (count > 0 ? ` and ${count} more` : '');
