import type { FileHandle } from 'node:fs/promises';

/** What tells one state of a file from another, as far as the file system knows. */
export async function fileState(file: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
