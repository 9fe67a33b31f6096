import { stat } from 'node:fs/promises';

/** Whether there is a file or a folder by a name; a link to nothing is none. */
export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
