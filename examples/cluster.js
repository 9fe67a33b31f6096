// A cluster on one machine: a coordinator and two workers, each a process: node examples/cluster.js [FILE] [RUN] [STEPS]
// The same two commands make a cluster of many machines. Needs nats-server on the PATH.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const [corpus = 'examples/tinyshakespeare.txt', run = 'runs/cluster', steps = '200'] = process.argv.slice(2);
const program = fileURLToPath(new URL('./cli.js', import.meta.resolve('meanfield')));

/** Starts `meanfield ARGS` and hands over each of its JSON lines. Resolves when it has ended well. */
function meanfield(args, told) {
  const child = spawn(process.execPath, [program, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout }).on('line', (line) => told(JSON.parse(line)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`meanfield ${args[0]} ended with ${code}`)),
    );
  });
}

const settings = [
  '--preset',
  'nano',
  '--tokenizer',
  'chars',
  '--threads',
  '1',
  '--steps',
  steps,
  '--host',
  '127.0.0.1',
];
const workers = [];
const start = ['cluster', 'start', corpus, '--run', run, '--min-workers', '2', '--format', 'int8', ...settings];
await meanfield(start, (event) => {
  if (event.type === 'invitation') {
    for (const name of ['one', 'two']) {
      workers.push(meanfield(['join', event.invitation, '--name', name, '--threads', '1'], () => {}));
    }
  }
  if (event.type === 'round') console.log(`round ${event.round}`);
  if (event.type === 'result')
    console.log(`validation loss ${event.val_loss.toFixed(3)}; the model is in ${run}/model`);
});
await Promise.all(workers);
