/** Takes the lock of a folder, says so, and holds it until its standard input ends or it is killed. */
import { messageOf } from '../../src/base/errors.js';
import { acquireLock } from '../../src/run/lock.js';

try {
  const lock = await acquireLock(process.argv[2]!);
  console.log(JSON.stringify({ pid: process.pid, notice: lock.notice }));
  process.stdin.resume();
  process.stdin.once('end', () => lock.release());
} catch (error) {
  console.log(JSON.stringify({ refused: messageOf(error) }));
}
