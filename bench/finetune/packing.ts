import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { prepareChat } from '../../src/data/chat/prepare.js';
import { withTemplate } from '../../src/data/chat/template.js';
import { readModelFolder } from '../../src/hub/model-folder.js';
import { percentAbove, table } from '../lib.js';
import { gigabytes, inProcess } from './process.js';
import type { Settings } from './settings.js';

const STEPS = 12;

/** Rows a second with several conversations in a window, beside one in each; and what was learned of about as many rows. */
export async function packing(settings: Settings, folder: string): Promise<void> {
  const { replies, model, context, batch, threads, steps = STEPS } = settings;
  if (replies === undefined)
    return console.log('\nPacking skipped: name a file of replies with --replies or by MEANFIELD_REPLIES.');
  const rows = await conversations(replies, model, context, folder);
  const common = { kind: 'chat', model, rows, context, batch, threads, steps } as const;
  const packed = await inProcess({ ...common, packed: true, gradAccum: 1 });
  if (packed.skipped) return console.log(`\nskipped: ${packed.skipped}`);
  // As many rows a step as windows of several hold, so that as many steps learn from as many rows.
  const gradAccum = Math.max(1, Math.round(Number(packed.rows_per_window)));
  const padded = await inProcess({ ...common, packed: false, gradAccum });
  if (padded.skipped) return console.log(`\nskipped: ${padded.skipped}`);
  console.log(`\n### Conversations, LoRA: T=${context}, B=${batch}, ${threads} threads, ${steps} steps`);
  table(
    ['', 'rows a window', 'rows/s', 'rows a processor second', 'peak memory', 'loss before', `after ${steps} steps`],
    Object.entries({ packed, padded }).map(([name, outcome]) => [
      name,
      Number(outcome.rows_per_window).toFixed(2),
      Number(outcome.rows_per_second).toFixed(2),
      Number(outcome.rows_per_cpu_second).toFixed(2),
      gigabytes(outcome.peak_rss_bytes),
      Number(outcome.first_loss).toFixed(6),
      Number(outcome.held_out_loss).toFixed(5),
    ]),
  );
  const gain = Number(packed.rows_per_second) / Number(padded.rows_per_second);
  const difference = percentAbove(Number(packed.held_out_loss), Number(padded.held_out_loss));
  console.log(`${gain.toFixed(2)} × the rows a second; the loss after it is ${difference} above that of padded rows.`);
}

/** Prepares rows of a question and its reply for the model. */
async function conversations(path: string, model: string, context: number, folder: string): Promise<string> {
  const bytes = await readFile(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const lines = text.split('\n').filter(Boolean);
  const messages = lines.map((line) => {
    const { context: question, reply } = JSON.parse(line) as { context: string; reply: string };
    const [user, assistant] = [
      { role: 'user', content: question },
      { role: 'assistant', content: reply },
    ];
    return JSON.stringify({ messages: [user, assistant] });
  });
  const file = join(folder, 'conversations.jsonl');
  await writeFile(file, `${messages.join('\n')}\n`);
  const { tokenizerFiles, close } = await readModelFolder(model);
  await close();
  const rows = join(folder, 'rows');
  const dataset = await prepareChat({
    paths: [file],
    folder: rows,
    tokenizer: withTemplate(tokenizerFiles)!,
    validationFraction: 0.1,
    longest: context + 1,
  });
  dataset.train.close();
  dataset.validation.close();
  return rows;
}
