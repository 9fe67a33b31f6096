import type { TensorInfo } from '../../base/safetensors-header.js';
import type { NamedWeights } from '../match-tensors.js';
import type { GgufArchitecture } from './architectures.js';
import { changeOf, ourName } from './architectures.js';
import { interleavedToHalves, shiftAll, transpose } from './changes.js';
import type { GgufFile } from './gguf-file.js';

/** How many heads the rows of queries and of keys belong to. */
export interface HeadCounts {
  readonly query: number;
  readonly key: number;
}

/** The weights of a GGUF file under Hugging Face's names and in its layout; what it does not know keeps its own name. */
export class GgufWeights implements NamedWeights {
  readonly path: string;
  readonly tensors: NamedWeights['tensors'];
  readonly #file: GgufFile;
  readonly #architecture: GgufArchitecture;
  readonly #heads: HeadCounts;
  /** Names in the file by ours. */
  readonly #names = new Map<string, string>();

  /** @param derived names of tensors that hold settings and no parameters */
  constructor(file: GgufFile, architecture: GgufArchitecture, heads: HeadCounts, derived: ReadonlySet<string>) {
    this.path = file.path;
    this.#file = file;
    this.#architecture = architecture;
    this.#heads = heads;
    const tensors = new Map<string, Pick<TensorInfo, 'name' | 'shape'>>();
    for (const [name, { shape }] of file.tensors) {
      if (derived.has(name)) continue;
      const own = ourName(architecture, name) ?? name;
      this.#names.set(own, name);
      const turned = changeOf(architecture, name) === 'transposed';
      tensors.set(own, { name: own, shape: turned ? [...shape].reverse() : shape });
    }
    this.tensors = tensors;
  }

  state(): Promise<string> {
    return this.#file.state();
  }

  /**
   * Reads a tensor as float32.
   *
   * @param target where it goes, of the tensor's size; new memory when left out
   */
  async readFloat32(name: string, target?: Float32Array): Promise<Float32Array> {
    const own = this.#names.get(name) ?? name;
    const values = await this.#file.readFloat32(own, target);
    const { shape } = this.#file.tensors.get(own)!;
    switch (changeOf(this.#architecture, own)) {
      case 'interleaved rows':
        interleavedToHalves(values, shape, own.includes('.attn_q.') ? this.#heads.query : this.#heads.key);
        break;
      case 'plus 1':
        shiftAll(values, -1);
        break;
      case 'transposed':
        transpose(values, shape[0]!, shape[1]!);
        break;
    }
    return values;
  }
}
