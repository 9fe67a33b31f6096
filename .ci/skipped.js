// node .ci/skipped.js REPORT.json: fails when a test was skipped that needs a browser, Python, NATS, Slurm, a pretrained
// model or another's program: those of their folders, and of files that name what tells whether they are there. A test
// whose name says "skipped on a device without" may be, as no package brings a device. With --count it prints how many
// tests passed and failed.

import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));

if (process.argv[3] === '--count') {
  console.log(`${report.numPassedTests} ${report.numFailedTests}`);
  process.exit(0);
}

const FOLDERS = /\/(?:browser|slurm)\//;
const DEVICE = /skipped on a device without /;
const NEEDS = /MEANFIELD_(?:PYTHON|MODELS|PROGRAMS|REQUIRE_)|(?:browser|models|nats|programs|slurm)There/;

function needsMore(file) {
  return FOLDERS.test(file) || NEEDS.test(readFileSync(file, 'utf8'));
}

let wrong = 0;
for (const { name, assertionResults } of report.testResults) {
  const skipped = assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed');
  for (const { fullName } of skipped) {
    const needed = needsMore(name) && !DEVICE.test(fullName);
    if (needed) wrong++;
    console.log(`${needed ? 'SKIPPED' : 'skipped, as it may be'}: ${fullName}`);
  }
}
if (report.numPassedTests === 0) throw new Error('no test has passed');
process.exit(wrong > 0 ? 1 : 0);
