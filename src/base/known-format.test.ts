import { expect, test } from 'vitest';
import { knownFormat } from './known-format.js';

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

test.each([
  ['version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n', /a Git LFS pointer.*git lfs pull/],
  ['PK\x03\x04\0\0', /a ZIP archive, which is how PyTorch pickles/],
  ['\x80\x02}q', /pickled by Python/],
  ['GGUF\x03\0', /a GGUF file/],
  ['<!DOCTYPE html><html>', /a web page: the download went wrong/],
])('%j is known', (start, what) => expect(knownFormat(bytes(start))).toMatch(what));

test.each(['', '{}', '{"n_layer": 2}', '\x08\0\0\0\0\0\0\0{', 'version 2'])('%j is not', (start) => {
  expect(knownFormat(bytes(start))).toBeUndefined();
});
