export { corpusNotices } from './corpus/notices.js';
export { type Documents, readDocuments } from './corpus/read-documents.js';
export type { CorpusOptions, CorpusStatistics, DocumentPiece } from './corpus/types.js';
export { type EncodedPiece, encodeDocuments } from './dataset/encode-documents.js';
export { type Dataset, openDataset } from './dataset/open.js';
export { OtherTextError, type PrepareOptions, type PrepareProgress, prepareDataset } from './dataset/prepare.js';
export { BatchSampler, type BatchSamplerOptions, type SamplerState } from './sampling/batch-sampler.js';
export type { SampleSource } from './sampling/sample-source.js';
export { type TokenWindow, TokenWindows, type TokenWindowsOptions, windowAt } from './sampling/token-windows.js';
export { validationWindows } from './sampling/validation-windows.js';
export { TokenShards } from './shards/token-shards.js';
export { requireWindow, type TokenSource, tokensInMemory } from './shards/token-source.js';
export { BpeTokenizer } from './tokenizers/bpe.js';
export { BytesTokenizer } from './tokenizers/bytes.js';
export { CharsTokenizer } from './tokenizers/chars.js';
export { encodeBeginning } from './tokenizers/encode-beginning.js';
export { TOKENIZERS, type TokenizerKind } from './tokenizers/kinds.js';
export { loadTokenizer } from './tokenizers/load.js';
export { MASK_TOKEN } from './tokenizers/mask-token.js';
export { parseTokenizer } from './tokenizers/parse.js';
export {
  EncodeError,
  type StreamDecoder,
  type Tokenizer,
  type TokenizerFiles,
} from './tokenizers/tokenizer.js';
export { END_OF_TEXT } from './tokenizers/tokenizer-files.js';
export { type BpeModel, type BpeTraining, trainBpe } from './tokenizers/train-bpe.js';
export { WordCounter, type WordCounts } from './tokenizers/word-counts.js';
