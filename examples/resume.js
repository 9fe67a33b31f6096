// Stops a run half-way and takes it up again, bit for bit: node examples/resume.js [FILE] [RUN] [STEPS]
import { train } from 'meanfield';

const [corpus = 'examples/tinyshakespeare.txt', run = 'runs/resumed', given = '200'] = process.argv.slice(2);
const steps = Number(given);
const first = train({ corpus: [corpus], run, preset: 'nano', tokenizer: 'chars', steps });
for await (const event of first) if (event.type === 'progress' && event.step >= steps / 2) first.stop();
const { interrupted, step } = await first.result;
console.log(interrupted ? `stopped and saved at step ${step}` : `done at step ${step} before it could be stopped`);

// The folder has all that is needed.
const second = train({ run, resume: true });
for await (const event of second) if (event.type === 'started') console.log(`going on from step ${event.step}`);
console.log(`done at step ${(await second.result).step}, validation loss ${(await second.result).valLoss.toFixed(3)}`);
