// Lets the trained model of digits.js read the digits held out: node examples/own-model/predict.js [RUN]
import { compile, input, readParameters } from 'meanfield/graph';
import { architecture, samples } from './digits.js';

const [run = 'runs/digits'] = process.argv.slice(2);
const { validation } = await samples();

const named = architecture.parameters.map(({ name, shape }) => [name, input(name, shape)]);
const scores = architecture.forward(Object.fromEntries(named), input('pixels', [validation.length, 64]));
const model = await compile({ scores });
const pixels = Array.from(validation, (sample) => sample.pixels).flat();
const result = await model.run({ ...(await readParameters(run)), pixels });
await model.close();

const read = Array.from(validation, (_, i) => {
  const own = result.scores.slice(10 * i, 10 * i + 10);
  return own.indexOf(own.reduce((a, b) => Math.max(a, b)));
});
const right = read.filter((digit, i) => digit === validation.at(i)?.digit).length;
console.log(
  `${right} of ${validation.length} digits are read as they are: ${((100 * right) / read.length).toFixed(1)} %`,
);
