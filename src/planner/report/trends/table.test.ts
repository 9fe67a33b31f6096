import { expect, it } from 'vitest';
import { trends } from '../../laws/trends/trends.js';
import { trendsTable } from './table.js';

it('is aligned, with regression, endpoints and what is published side by side', () => {
  const lines = trendsTable(trends()).split('\n');
  expect(lines[1]).toMatch(/^trend +period +points +regression +endpoints +published +R²$/);
  expect(lines[3]).toMatch(
    /^Training compute, largest runs \(AI and Compute\) +2012-06 to 2017-10 +6 records +3.4 +3.5 +3.4 +0.87$/,
  );
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^Algorithmic efficiency at AlexNet's accuracy +2012-06 to 2019-05 +6 +15.7 +15.3 +16.0 +0.98$/,
    ),
  );
  const rows = lines.slice(1, 4);
  expect(new Set(rows.map((row) => row.length)).size).toBe(1);
  expect(lines.filter((line) => line.includes('Epoch AI, notable AI models'))).toHaveLength(1);
});
