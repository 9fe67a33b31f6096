import type { FamilyName } from '../../model/family-names.js';
import table from './architectures.json' with { type: 'json' };

/** How an architecture of llama.cpp lies in a file, and what it is in Hugging Face's terms. */
export interface GgufArchitecture {
  /** What `general.architecture` says, before the keys of its sizes. */
  readonly name: string;
  readonly family: FamilyName;
  /** Names of layers as the file has them, `*` for the number of a block, and ours of each. */
  readonly tensors: Readonly<Record<string, string>>;
  /** Keys of sizes, with the type that llama.cpp asks for and what they are in `config.json`. */
  readonly keys: readonly { readonly key: string; readonly type: 'UINT32' | 'FLOAT32'; readonly config: string }[];
  /** Whether the rows of queries and keys lie as pairs that are turned together: (0, D/2), (1, D/2 + 1) and so on. */
  readonly rows?: 'interleaved';
  /** Whether norms have the 1 added that the model adds to their weight. */
  readonly norms?: 'plus 1';
  /** Whether matrices lie with a row an output, where ours have a row an input. */
  readonly matrices?: 'outputs first';
}

type Table = Readonly<Record<string, Omit<GgufArchitecture, 'name' | 'tensors' | 'keys'> & Names>>;
type Names = { readonly tensors: keyof typeof table.tensors; readonly keys: keyof typeof table.keys };

/** The architectures that are read and written, by the name in their files. */
export const ggufArchitectures: ReadonlyMap<string, GgufArchitecture> = new Map(
  Object.entries(table.architectures as Table).map(([name, { tensors, keys, ...rest }]) => [
    name,
    { name, ...rest, tensors: table.tensors[tensors], keys: table.keys[keys] as GgufArchitecture['keys'] },
  ]),
);

/** Keys of an architecture that change no result here. */
export const harmlessKeys: ReadonlySet<string> = new Set(table.harmless);

/**
 * The name that a tensor of a file has in Hugging Face's layout, such as `blk.3.attn_q.weight`; undefined for one that the
 * architecture does not have.
 */
export function ourName({ tensors }: GgufArchitecture, name: string): string | undefined {
  const [, layer, kind] = /^(.+)\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined) return undefined;
  const number = /^blk\.(\d+)\./.exec(layer)?.[1];
  const known = number === undefined ? layer : layer.replace(/^blk\.\d+\./, 'blk.*.');
  if (!Object.hasOwn(tensors, known)) return undefined;
  return `${tensors[known]!.replace('*', number ?? '')}.${kind}`;
}

/** The way back: what a parameter of ours is called in a file. */
export function fileName({ name: architecture, tensors }: GgufArchitecture, own: string): string {
  const [, layer = '', kind] = /^(.+)\.(weight|bias)$/.exec(own) ?? [];
  const number = /\.(\d+)\./.exec(layer)?.[1];
  const known = layer.replace(/\.\d+\./, '.*.');
  const found = Object.entries(tensors).find(([, name]) => name === known);
  if (found === undefined) throw new Error(`gguf: ${architecture} has no place for ${own}`);
  return `${found[0].replace('*', number ?? '')}.${kind}`;
}

/** What is done to a tensor's elements between a file and a model, by its name in the file. */
export type Change = 'interleaved rows' | 'plus 1' | 'transposed' | 'none';

/** What the elements of a tensor went through when they were written. */
export function changeOf(architecture: GgufArchitecture, name: string): Change {
  if (architecture.rows && /\.attn_[qk]\.(?:weight|bias)$/.test(name)) return 'interleaved rows';
  if (architecture.norms && /norm\.weight$/.test(name)) return 'plus 1';
  if (architecture.matrices && /^blk\..*(?:attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name))
    return 'transposed';
  return 'none';
}
