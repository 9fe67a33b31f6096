// A cluster on one machine: a coordinator and two workers: node examples/cluster.js [FILE] [RUN] [STEPS]
// The workers may as well be on other machines, by the same call or by `meanfield join`. Needs nats-server on the PATH.
import { join, startCluster } from 'meanfield/cluster';

const [corpus = 'examples/tinyshakespeare.txt', run = 'runs/cluster', steps = '200'] = process.argv.slice(2);

const workers = [];
const cluster = startCluster({
  ...{ corpus: [corpus], run, preset: 'nano', tokenizer: 'chars', threads: 1, steps: Number(steps) },
  ...{ minWorkers: 2, format: 'int8', host: ['127.0.0.1'] },
});
process.once('SIGINT', () => cluster.stop());
for await (const event of cluster) {
  if (event.type === 'invitation')
    for (const name of ['one', 'two']) workers.push(join(event.invitation, { name, threads: 1 }));
  if (event.type === 'round') console.log(`round ${event.round}`);
}
const { bestValLoss } = await cluster.result;
console.log(`best validation loss ${bestValLoss.toFixed(3)}; the model is in ${run}/model`);
for (const worker of workers) console.log(`a worker has ${(await worker.result).ended}`);
