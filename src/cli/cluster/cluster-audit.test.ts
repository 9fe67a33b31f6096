import { expect, test } from 'vitest';
import type { ClusterAudit } from '../../cluster/index.js';
import { testOutput } from '../terminal/test-output.js';
import { auditText, auditWorker } from './cluster-audit.js';

const audit: ClusterAudit = {
  ...{ worker: 'box-2', round: 12, committed: true, base_loss: 2.5, contribution_loss: 2.25, committed_loss: 2.2 },
  ...{ tokens: 3400, norm: 1.234, told_norm: 1.23, windows: 32 },
};

test('an audit tells what one worker makes of the model alone', () => {
  expect(auditText(audit).split('\n')).toEqual([
    'box-2, round 12 (committed), loss on 32 held-out windows:',
    '  before the round         2.500',
    '  with this worker alone   2.250 (−0.250)',
    '  committed                2.200',
    'It says to have trained on 3.4k tokens. Norm 1.23, told as 1.23.',
    '',
  ]);
});

test('a contribution that ruins the model is told as such', () => {
  const bad = auditText({ ...audit, committed: false, contribution_loss: 9.75 });
  expect(bad).toContain('(in progress)');
  expect(bad).toContain('alone   9.750 (+7.250)');
  expect(bad).not.toContain('  committed');
  expect(auditText({ ...audit, contribution_loss: null })).toContain('alone   not finite\n');
});

test('a folder that is no run is refused', async () => {
  const context = { output: testOutput(), closed: new AbortController().signal };
  await expect(auditWorker('no/such/run', 'box-2', 8, context)).rejects.toThrow('no/such/run');
});
