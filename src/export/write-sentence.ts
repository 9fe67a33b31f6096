import { MEAN } from '../hub/sentence-folder.js';
import { writeSentenceModules } from '../hub/write-sentence-folder.js';
import type { ExportWriter } from './format.js';
import { writeTransformer } from './write-hugging-face.js';

/** A folder of sentence-transformers: the model, and how vectors come of its hidden states. */
export const writeSentence: ExportWriter = async (source, order) => {
  const loaded = await source.load();
  const { sentence, model, parameters } = loaded;
  const views = model.layout.views(parameters);
  if (!sentence)
    order.notice(
      `${source.model} does not say how its hidden states become a vector: their mean is written, as embed takes it.`,
    );
  const hashes = await writeTransformer({ ...loaded, read: async (name) => views[name]! }, order);
  return { ...hashes, ...(await writeSentenceModules(order.place, sentence ?? MEAN, model.dimensions)) };
};
