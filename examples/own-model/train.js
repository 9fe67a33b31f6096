// Trains the model of digits.js with two replicas: node examples/own-model/train.js [RUN] [STEPS] [resume]
import { train } from 'meanfield';

const [run = 'runs/digits', steps = '500', resume] = process.argv.slice(2);

// Functions cannot be sent to a thread: what is one's own is a module, which each replica imports.
const training = train({
  model: new URL('./digits.js', import.meta.url),
  ...{ run, resume: resume === 'resume', steps: Number(steps) },
  ...{ replicas: 2, threads: 1, batchSize: 32, syncEvery: 10, evalEvery: 100, checkpointEvery: 20 },
});
process.once('SIGINT', () => training.stop());
for await (const event of training) {
  if (event.type === 'started') console.log(`${event.trainSamples} digits to learn, from step ${event.step}`);
  if (event.type === 'checkpoint') console.log(`saved at step ${event.step}`);
  if (event.type === 'evaluation') console.log(`step ${event.step}: validation loss ${event.valLoss.toFixed(3)}`);
}
const { bestValLoss, samplesPerSecond } = await training.result;
console.log(`best validation loss ${bestValLoss.toFixed(3)}, ${samplesPerSecond.toFixed(0)} digits a second`);
