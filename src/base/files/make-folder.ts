import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { asSystemError, shownPath } from '../system-errors.js';

/**
 * Makes a folder and those above it; one that is there is left as it is.
 *
 * Node's own recursive `mkdir` never ends, and hears no signal, where the system makes no folders (`/proc/x/y`), so this
 * one looks at what exists first and makes each folder once.
 *
 * @param mode permissions of what is made
 * @returns the topmost folder that was made, or undefined when all were there
 * @throws MeanfieldError that names the folder or file in the way, and why
 */
export async function makeFolder(folder: string, mode?: number): Promise<string | undefined> {
  const missing = await missingFolders(resolve(folder));
  for (const each of missing) {
    try {
      await mkdir(each, { mode });
    } catch (error) {
      // Another process or thread was faster.
      if (await isFolder(each)) continue;
      const advice =
        codeOf(error) === 'ENOENT'
          ? 'The system makes no folders there. Choose another path'
          : codeOf(error) === 'EEXIST'
            ? 'What is there is no folder, or a link that leads nowhere. Choose another path'
            : undefined;
      throw asSystemError(error, `make the folder ${shownPath(each)}`, advice);
    }
  }
  return missing[0];
}

/** The folders on the way that are not there, from above. */
async function missingFolders(folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    try {
      if ((await stat(at)).isDirectory()) return missing.reverse();
      throw Object.assign(new Error(`${at} is a file`), { code: 'ENOTDIR', path: at });
    } catch (error) {
      const code = codeOf(error);
      const above = dirname(at) !== at;
      // With ENOTDIR the file in the way lies further up, unless it is this one.
      if (above && (code === 'ENOENT' || (code === 'ENOTDIR' && (error as NodeJS.ErrnoException).syscall))) {
        missing.push(at);
        continue;
      }
      const advice = code === 'ENOTDIR' ? `${shownPath(at)} is a file. Choose another path` : undefined;
      throw asSystemError(error, `make the folder ${shownPath(folder)}`, advice);
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
