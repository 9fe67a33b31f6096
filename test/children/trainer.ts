/** Trains with the options that it is given as JSON, printing events as JSON lines; the result is the last. */
import { messageOf } from '../../src/base/errors.js';
import { startTraining } from '../../src/local/train.js';

const training = startTraining(JSON.parse(process.argv[2]!));
process.on('SIGINT', () => training.stop());
try {
  for await (const event of training) console.log(JSON.stringify(event));
  console.log(JSON.stringify(await training.result));
} catch (error) {
  console.log(JSON.stringify({ type: 'error', message: messageOf(error) }));
  process.exitCode = 1;
}
