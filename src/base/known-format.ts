/** First bytes by which a file is known that lies where another was expected, and what to do about it. */
const FORMATS: readonly (readonly [start: string, what: string])[] = [
  [
    'version https://git-lfs.github.com/spec/',
    'a Git LFS pointer, which stands for the file itself: run `git lfs pull` in its folder, or download the file',
  ],
  ['PK\x03\x04', 'a ZIP archive, which is how PyTorch pickles weights: save it anew in Python as safetensors'],
  ['\x80\x02', 'pickled by Python: save it anew in Python as safetensors'],
  ['GGUF', 'a GGUF file, which is a model of its own: name it as the model'],
  ['\x89HDF\r\n', 'an HDF5 file of TensorFlow: save it anew in Python as safetensors'],
  ['\x1f\x8b', 'compressed by gzip: unpack it with gunzip'],
  ['<!DOCTYPE', 'a web page: the download went wrong, so download it anew'],
  ['<!doctype', 'a web page: the download went wrong, so download it anew'],
  ['<html', 'a web page: the download went wrong, so download it anew'],
  ['{"error"', 'an answer of a server that says what went wrong: read it, and download the file anew'],
];

/** Bytes that {@link knownFormat} looks at. */
export const KNOWN_BY = 48;

/** What a file is, by its first bytes, and what to do with it; undefined where nothing tells. */
export function knownFormat(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, KNOWN_BY));
  return FORMATS.find(([known]) => text.startsWith(known))?.[1];
}
