import { join } from 'node:path';
import { writeFileSynced } from '../base/files/atomic.js';
import { jsonText } from '../base/json.js';
import { encodeSafetensors, type NamedTensor } from '../base/safetensors-writer.js';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from '../hub/model-files.js';
import { readAdapterFolder } from '../hub/model-folder.js';
import { weightBytes } from '../hub/write-weights.js';
import type { ExportWriter } from './format.js';
import { numbersOf, requireFits, withTemplateTwice } from './write-hugging-face.js';

/** An adapter alone, whose base need not be there. */
export const writePeft: ExportWriter = async (source, { place, dtype, options, told }) => {
  const { settings, tokenizerFiles, weights, close } = await readAdapterFolder(source.adapter!);
  try {
    const tensors: NamedTensor[] = [];
    for (const { name, shape } of weights.tensors.values())
      tensors.push({ name, shape, data: await weights.readFloat32(name) });
    requireFits(tensors, dtype);
    const { rounded } = numbersOf(dtype);
    told(weightBytes(tensors, rounded), weightBytes(tensors, rounded));
    const bytes = encodeSafetensors(
      tensors.map((tensor) => ({ ...tensor, rounded })),
      { format: 'pt' },
    );
    const { base } = options;
    const texts: Record<string, string> = {
      [ADAPTER_CONFIG]: jsonText({ ...settings, ...(base !== undefined && { base_model_name_or_path: base }) }),
      ...withTemplateTwice(tokenizerFiles),
    };
    const hashes: Record<string, string> = {
      [ADAPTER_WEIGHTS]: (await writeFileSynced(join(place, ADAPTER_WEIGHTS), bytes)).sha256,
    };
    for (const [name, text] of Object.entries(texts))
      hashes[name] = (await writeFileSynced(join(place, name), text)).sha256;
    return hashes;
  } finally {
    await close();
  }
};
