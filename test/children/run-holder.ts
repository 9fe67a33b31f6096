/** Makes a run and waits to be killed. */
import { createRun } from '../../src/run/run-folder.js';

await createRun(process.argv[2]!, { seed: 1 });
console.log('ready');
setInterval(() => {}, 1000);
