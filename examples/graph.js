// Fits a law to a text by gradients: node examples/graph.js [FILE] [STEPS]
// Zipf's: the r-th word of a text comes C / r^s times, so its count's logarithm falls by s with that of its rank.
import { readFile } from 'node:fs/promises';
import { compile, gradients, input, mul, reduceMean, sub } from 'meanfield/graph';

const [file = 'examples/tinyshakespeare.txt', steps = '100'] = process.argv.slice(2);

/** @type {Map<string, number>} */
const counts = new Map();
for (const word of (await readFile(file, 'utf8')).toLowerCase().match(/[a-z']+/g) ?? [])
  counts.set(word, (counts.get(word) ?? 0) + 1);
const most = [...counts.values()].sort((a, b) => b - a).slice(0, 1000);
const logs = most.map((_, i) => Math.log(i + 1));
// Around their mean, so that both parameters are found in as many steps.
const middle = logs.reduce((sum, log) => sum + log, 0) / logs.length;
const feeds = { rank: logs.map((log) => log - middle), count: most.map(Math.log) };

const [height, slope] = [input('height', []), input('slope', [])];
const [rank, count] = [input('rank', [most.length]), input('count', [most.length])];
const error = sub(sub(height, mul(slope, rank)), count);
const loss = reduceMean(mul(error, error), [0]);
const [byHeight, bySlope] = gradients(loss, [height, slope]);
const graph = await compile({ loss, byHeight, bySlope });

const found = { height: 0, slope: 0, loss: 0 };
for (let step = 0; step < Number(steps); step++) {
  const result = await graph.run({ ...feeds, height: [found.height], slope: [found.slope] });
  found.loss = Number(result.loss[0]);
  found.height -= 0.2 * Number(result.byHeight[0]);
  found.slope -= 0.2 * Number(result.bySlope[0]);
}
await graph.close();
console.log(`s = ${found.slope.toFixed(2)}, mean squared error ${found.loss.toFixed(3)}`);
