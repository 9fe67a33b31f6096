/**
 * Hostile workers of an invitation, with the names HOST..., until its standard input ends; then it prints for each what
 * it has done.
 */
import { HostileWorker } from '../hostile-worker.js';

const [invitation, ...hosts] = process.argv.slice(2);
const workers = hosts.map((host, i) => new HostileWorker(invitation!, host, i));
const lives = Promise.all(workers.map((worker) => worker.run()));
process.stdin.resume();
process.stdin.once('end', () => {
  for (const worker of workers) worker.stop();
});
await lives;
console.log(JSON.stringify(workers.map(({ done, names }) => ({ done, names }))));
