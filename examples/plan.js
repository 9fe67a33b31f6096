// What a model takes on a cluster: node examples/plan.js [MODEL] [CLUSTER] [PAGE]
// A model: a name of the catalogue or a config.json; a cluster: 64xh100, a name or a file (docs/cluster-file.md).
import { writeFile } from 'node:fs/promises';
import { compareBandwidths, plan, planPage, readCluster, readModel } from 'meanfield/planner';

const [model = 'llama3-8b', cluster = '64xh100', page] = process.argv.slice(2);

const machine = await readCluster(cluster);
const best = plan(await readModel(model), machine.cluster);
console.log(`${best.accelerators} accelerators`, best.search.best?.arrangement);
if (best.run) console.log(`${best.run.days.toFixed(1)} days`);
for (const warning of [...machine.warnings, ...best.warnings]) console.log(`warning: ${warning}`);
if (page) await writeFile(page, planPage(best, compareBandwidths(best)));
