// Trains a model from code and lets it write: node examples/train.js [FILE] [RUN] [STEPS]
import { load, train } from 'meanfield';

const [corpus = 'examples/tinyshakespeare.txt', run = 'runs/example', steps = '300'] = process.argv.slice(2);

const training = train({ corpus: [corpus], run, preset: 'nano', tokenizer: 'chars', steps: Number(steps) });
// What is not awaited can be stopped: it finishes the round and saves. examples/resume.js goes on from there.
process.once('SIGINT', () => training.stop());
for await (const event of training) {
  if (event.type === 'notice') console.log(`note: ${event.message}`);
  if (event.type === 'progress')
    console.log(`step ${event.step} of ${event.totalSteps}, loss ${event.loss.toFixed(3)}`);
  if (event.type === 'evaluation') console.log(`validation loss ${event.valLoss.toFixed(3)}`);
}
const { bestValLoss, seconds } = await training.result;
console.log(
  `best validation loss ${bestValLoss.toFixed(3)} after ${seconds.toFixed(0)} s; the model is in ${run}/model`,
);

const model = await load(run);
for await (const text of model.generate({ maxTokens: 200 })) process.stdout.write(text);
process.stdout.write('\n');
await model.close();
