import { median, type Outcome, table } from '../lib.js';
import { gigabytes, inProcess } from './process.js';
import type { Settings } from './settings.js';

/** How long `load` takes, and it with the first token; what it takes of memory beside the parameters in float32. */
export async function loadTimes({ model, threads, repeats }: Settings): Promise<void> {
  // The first only brings the files into the system's memory.
  const outcomes: Outcome[] = [];
  for (let i = 0; i <= repeats; i++) outcomes.push(await inProcess({ kind: 'load', model, threads }));
  const skipped = outcomes.find((outcome) => outcome.skipped)?.skipped;
  if (skipped) return console.log(`\nskipped: ${skipped}`);
  const of = (key: string) => median(outcomes.slice(1).map((outcome) => Number(outcome[key])));
  const bytes = 4 * of('parameters');
  console.log(`\n### From a folder to the first token, ${threads} threads, ${repeats} times after one`);
  table(
    ['load, s', 'with the first token, s', 'peak memory', '× parameters in float32'],
    [
      [
        (of('load_ms') / 1000).toFixed(2),
        (of('first_token_ms') / 1000).toFixed(2),
        gigabytes(of('peak_rss_bytes')),
        (of('peak_rss_bytes') / bytes).toFixed(2),
      ],
    ],
  );
}
