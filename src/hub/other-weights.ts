import { readdir } from 'node:fs/promises';

/** Weights in other forms than one `model.safetensors`, by their files' names, and what to do. */
const OTHERS: readonly (readonly [name: RegExp, what: string, advice: string])[] = [
  [
    /^model-\d+-of-\d+\.safetensors$/,
    'a shard, without the model.safetensors.index.json that says which holds what',
    'Take all files of the folder that it comes from.',
  ],
  [
    /^adapter_(?:model|config)\./,
    'an adapter alone',
    'Join it with its base in Python: AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload().save_pretrained(other).',
  ],
  [
    /\.(?:bin|bin\.index\.json|pt|pth|ckpt|pkl)$/,
    'pickled by PyTorch, which is not read because unpickling runs code',
    "If you trust it, save it anew in Python: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size='1000GB').",
  ],
  [
    /\.(?:h5|msgpack|ot)$/,
    'those of TensorFlow, Flax or Rust',
    'Save it anew in Python with from_tf=True or from_flax=True, as safetensors.',
  ],
  [/\.gguf$/, 'a GGUF file', 'Name the file itself as the model.'],
  [/\.onnx$/, 'an ONNX graph', 'Take the model as safetensors.'],
  [/\.safetensors$/, 'safetensors by another name', 'Rename it model.safetensors if it holds the whole model.'],
];

/** What a folder has instead of `model.safetensors`, in whole sentences; undefined where it has no weights at all. */
export async function otherWeights(folder: string): Promise<string | undefined> {
  const names = (await readdir(folder).catch(() => [])).sort();
  for (const [pattern, what, advice] of OTHERS) {
    const found = names.filter((name) => pattern.test(name));
    if (found.length === 0) continue;
    const more = found.length > 1 ? ` and ${found.length - 1} more` : '';
    return `${folder} has its weights as ${found[0]}${more}: ${what}. Expected one file model.safetensors. ${advice}`;
  }
  return undefined;
}
