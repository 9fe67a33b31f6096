/**
 * Takes and leaves the lock of a folder without end, mostly as a process that died would leave it. While it holds it, it notes its process in the file `holder`; a
 * living process noted there by someone else means that two hold the lock, which it prints.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MeanfieldError } from '../../src/base/errors.js';
import { processStart } from '../../src/base/files/process-identity.js';
import { acquireLock, type Lock } from '../../src/run/lock.js';

const folder = process.argv[2]!;
const note = join(folder, 'holder');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
for (let held = 0; ; ) {
  let lock: Lock;
  try {
    lock = await acquireLock(folder);
  } catch (error) {
    if (!(error instanceof MeanfieldError)) throw error;
    await pause(1);
    continue;
  }
  const other = Number(readFileSync(note, 'utf8'));
  if (other !== 0 && (await processStart(other)) !== undefined) console.log(`two hold it: ${other}, ${process.pid}`);
  writeFileSync(note, String(process.pid));
  await pause(1);
  if (readFileSync(note, 'utf8') !== String(process.pid)) console.log(`another came while ${process.pid} held it`);
  writeFileSync(note, '0');
  if (++held % 5 === 0) await lock.release();
  else {
    const dead = { host: hostname(), pid: 2 ** 22 + 1, started: 'never', by: process.pid, held };
    writeFileSync(join(folder, `dead.${process.pid}`), JSON.stringify(dead));
    renameSync(join(folder, `dead.${process.pid}`), join(folder, 'lock'));
  }
  if (held % 10 === 0) console.log('held');
}
