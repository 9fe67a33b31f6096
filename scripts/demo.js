// Trains on the tiny Shakespeare text and prints what the model writes: `npm run demo`. Builds first, telling nothing of it but a failure.
// MEANFIELD_DEMO_UNTIL_LOSS replaces the validation loss at which training ends (1.9).

import { spawn, spawnSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = 'runs/demo';
const untilLoss = process.env.MEANFIELD_DEMO_UNTIL_LOSS ?? '1.9';

const builder = createRequire(import.meta.url).resolve('tsdown/run');
const built = spawnSync(process.execPath, [builder, '--logLevel', 'error'], { cwd: root, encoding: 'utf8' });
if (built.status !== 0) {
  process.stderr.write(built.stdout + built.stderr);
  process.exit(1);
}

// The command saves and ends; this program waits for it.
let child;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child?.kill(signal));

await rm(`${root}${run}`, { recursive: true, force: true });
const settings = `--run ${run} --layers 4 --width 128 --context 64 --tokenizer chars --replicas auto --eval-every 50 --until-loss ${untilLoss}`;
console.log(`$ meanfield train examples/tinyshakespeare.txt ${settings}`);
const events = await meanfield(['train', 'examples/tinyshakespeare.txt', ...settings.split(' '), '--json'], true);
const last = JSON.parse(events.trim().split('\n').at(-1));
await writeFile(`${root}${run}/result.json`, `${JSON.stringify(last, null, 2)}\n`);
const { step, seconds, val_loss } = last;
console.log(`\n${step} steps in ${Math.round(seconds)} seconds, validation loss ${val_loss.toFixed(3)}.`);

console.log(`\n$ meanfield generate ${run} --prompt "ROMEO:"\n`);
await meanfield(['generate', run, '--prompt', 'ROMEO:', '--max-tokens', '400'], false);
console.log(`\n\nThe model is in ${run}/model. Next, with a text of yours: npx meanfield train FILE`);

/** Runs the command line, passing its failure on; resolves to what it printed when `kept`, else that is shown. */
async function meanfield(args, kept) {
  child = spawn(process.execPath, ['dist/cli.js', ...args], {
    cwd: root,
    stdio: ['inherit', kept ? 'pipe' : 'inherit', 'inherit'],
  });
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  if (code !== 0) process.exit(code);
  return printed;
}
