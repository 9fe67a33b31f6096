import { MeanfieldError } from '../../base/errors.js';
import type { ModelFolder } from '../model-folder.js';
import { ggufArchitectures } from './architectures.js';
import { GgufFile } from './gguf-file.js';
import { GgufWeights } from './gguf-weights.js';
import { Metadata } from './metadata.js';
import { readConfig } from './read-config.js';
import { readTokenizer } from './read-tokenizer.js';

/**
 * Opens a GGUF file as the model folder that it comes to: configuration, tokenizer and names in Hugging Face's terms, and
 * weights that are read, dequantised and put into its layout one by one. {@link ModelFolder.close} it after reading.
 *
 * @throws MeanfieldError when the file is damaged, or holds what is not computed here, by its name
 */
export async function openGguf(path: string): Promise<ModelFolder> {
  const file = await GgufFile.open(path);
  try {
    const metadata = new Metadata(path, file.metadata);
    refuseParts(metadata);
    const name = metadata.need('general.architecture', 'STRING');
    const architecture = ggufArchitectures.get(name);
    if (architecture === undefined)
      throw metadata.fault(
        `it is of the architecture ${JSON.stringify(name.slice(0, 64))}; those that are read are ${[...ggufArchitectures.keys()].join(', ')}`,
      );
    const { config, heads, derived } = await readConfig(file, metadata, architecture);
    return {
      path,
      config,
      tokenizerFiles: readTokenizer(metadata, Number(config.vocab_size)),
      weights: new GgufWeights(file, architecture, heads, derived),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function refuseParts(metadata: Metadata): void {
  const type = metadata.get('general.type', 'STRING') ?? 'model';
  if (type !== 'model') throw metadata.fault(`it holds no model but, as general.type says, ${JSON.stringify(type)}`);
  if (metadata.has('split.count'))
    throw new MeanfieldError(
      `${metadata.path} may be one of several parts (split.count): join them by llama-gguf-split --merge, and name that file.`,
    );
}
