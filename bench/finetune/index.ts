import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from '../lib.js';
import { exportTimes } from './export.js';
import { loadTimes } from './load.js';
import { packing } from './packing.js';
import { type Settings, settingsOf } from './settings.js';
import { losses, smallBase, speed } from './training.js';

/** What may be measured by itself. @param folder for files that nobody needs afterwards */
type Part = (settings: Settings, folder: string) => Promise<void>;

const parts: Readonly<Record<string, Part>> = {
  lora: (settings, folder) => speed('lora', settings, folder),
  full: (settings, folder) => speed('full', settings, folder),
  int4: smallBase,
  loss: losses,
  packing,
  load: loadTimes,
  export: exportTimes,
};

/**
 * `npm run bench -- finetune [lora full int4 loss packing load export] [--model FOLDER] [--steps N] [--repeats 3] [--seeds 3]
 * [--modes eager,compile] [--context 512] [--batch 4] [--threads 2] [--data FILE] [--replies FILE]`
 *
 * MODEL is SmolLM2-135M-Instruct: in the folder MEANFIELD_MODELS unless given. Replies are rows with `context` and `reply`:
 * MEANFIELD_REPLIES unless given, and packing is skipped without them.
 */
export async function run(args: string[]): Promise<void> {
  const { options, rest } = parseArgs(args);
  const settings = settingsOf(options);
  for (const name of rest.length > 0 ? rest : Object.keys(parts)) {
    const part = parts[name];
    if (!part) throw new Error(`unknown part ${name}: one of ${Object.keys(parts).join(', ')}`);
    const folder = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
    try {
      await part(settings, folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
