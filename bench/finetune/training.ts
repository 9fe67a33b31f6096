import { join } from 'node:path';
import { BASE_DTYPES } from '../../src/model/family-names.js';
import { mean, median, type Outcome, percentAbove, table } from '../lib.js';
import { gigabytes, inProcess, torch } from './process.js';
import { type Trained, writeRecipe } from './recipe.js';
import type { Settings } from './settings.js';

const SPEED_STEPS = 8;
const LOSS_STEPS = 300;
/** Of the parts that compare losses: six runs of so many steps would take a night with windows of 512. */
const LOSS_CONTEXT = 128;

const OURS = 'Meanfield';
const titles: Record<Trained, string> = { lora: 'LoRA, rank 16, all linear layers', full: 'all parameters' };

/** Tokens per second and memory beside PyTorch, in turn with each other. */
export async function speed(trained: Trained, settings: Settings, folder: string): Promise<void> {
  const { context, batch, repeats, threads, modes, steps = SPEED_STEPS } = settings;
  const recipe = await writeRecipe(folder, settings, { trained, steps, seed: 1 });
  const runs: Record<string, () => Promise<Outcome>> = {
    [OURS]: () => inProcess({ kind: 'train', recipe }),
    ...Object.fromEntries(modes.map((mode) => [`PyTorch ${mode}`, () => torch(recipe, mode)])),
  };
  const outcomes: Record<string, Outcome[]> = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  for (let i = 0; i < repeats; i++)
    for (const [name, start] of Object.entries(runs))
      if (!outcomes[name]!.some((outcome) => outcome.skipped)) outcomes[name]!.push(await start());
  const of = (name: string, key: string) => {
    const figures = (outcomes[name] ?? []).filter((outcome) => !outcome.skipped).map((outcome) => Number(outcome[key]));
    return median(figures);
  };
  console.log(`\n### ${titles[trained]}: T=${context}, B=${batch}, ${threads} threads, ${steps} steps`);
  const better = Math.max(...modes.map((mode) => `PyTorch ${mode}`).map((name) => of(name, 'tokens_per_second') || 0));
  table(
    [
      '',
      'tokens/s',
      'min to max',
      'processor seconds a step',
      'peak memory',
      '× better PyTorch',
      'first loss',
      'last loss',
    ],
    Object.entries(outcomes).map(([name, all]) => {
      const reason = all.find((outcome) => outcome.skipped)?.skipped;
      if (reason) return [name, `skipped: ${reason}`, '', '', '', '', '', ''];
      const speeds = all.map((outcome) => Number(outcome.tokens_per_second));
      const losses = all[0]!.losses as number[];
      const { version, peft } = all[0]!;
      return [
        version ? `${name} (${version}${trained === 'lora' ? `, PEFT ${peft}` : ''})` : name,
        median(speeds).toFixed(0),
        `${Math.min(...speeds).toFixed(0)} to ${Math.max(...speeds).toFixed(0)}`,
        (of(name, 'cpu_ms_per_step') / 1000).toFixed(2),
        gigabytes(of(name, 'peak_rss_bytes')),
        better > 0 ? (median(speeds) / better).toFixed(2) : '',
        losses[0]!.toFixed(6),
        losses.at(-1)!.toFixed(6),
      ];
    }),
  );
  const memory = of(OURS, 'peak_rss_bytes') / of('PyTorch eager', 'peak_rss_bytes');
  if (!Number.isNaN(memory)) console.log(`Peak memory: ${memory.toFixed(2)} × PyTorch eager.`);
}

/** The loss after so many steps with an adapter beside PEFT's: the same rows, rates and weights to begin with. */
export async function losses(settings: Settings, folder: string): Promise<void> {
  const { steps = LOSS_STEPS, seeds } = settings;
  const context = Math.min(LOSS_CONTEXT, settings.context);
  const rows: (string | number)[][] = [];
  const found: { ours: number; theirs: number }[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const recipe = await writeRecipe(
      join(folder, `${seed}`),
      { ...settings, context },
      { trained: 'lora', steps, seed },
    );
    const [ours, theirs] = [await inProcess({ kind: 'train', recipe }), await torch(recipe, 'eager')];
    const skipped = ours.skipped ?? theirs.skipped;
    if (skipped) return console.log(`\nskipped: ${skipped}`);
    const pair = { ours: Number(ours.held_out_loss), theirs: Number(theirs.held_out_loss) };
    found.push(pair);
    rows.push([seed, pair.ours.toFixed(5), pair.theirs.toFixed(5), percentAbove(pair.ours, pair.theirs)]);
  }
  const [ours, theirs] = [mean(found.map((pair) => pair.ours)), mean(found.map((pair) => pair.theirs))];
  rows.push(['mean', ours.toFixed(5), theirs.toFixed(5), percentAbove(ours, theirs)]);
  console.log(`\n### Loss on rows held out after ${steps} steps of LoRA: T=${context}, B=${settings.batch}`);
  table(['seed', OURS, 'PyTorch with PEFT', 'difference'], rows);
}

const SMALL_STEPS = 100;

/** An adapter beside a base in fewer bits: memory beside PyTorch's in float32, and what is lost of the loss. */
export async function smallBase(settings: Settings, folder: string): Promise<void> {
  const { steps = SMALL_STEPS, context, batch, threads } = settings;
  const memory = await writeRecipe(join(folder, 'memory'), settings, { trained: 'lora', steps: 3, seed: 1 });
  const short = { ...settings, context: Math.min(LOSS_CONTEXT, context) };
  const recipe = await writeRecipe(join(folder, 'loss'), short, { trained: 'lora', steps, seed: 1 });
  const peer = await torch(memory, 'eager');
  if (peer.skipped) console.log(`\nPyTorch skipped: ${peer.skipped}`);
  const rows: string[][] = [];
  let float = Number.NaN;
  for (const base of BASE_DTYPES) {
    const [one, other] = [
      await inProcess({ kind: 'train', recipe: memory, base }),
      await inProcess({ kind: 'train', recipe, base }),
    ];
    const skipped = one.skipped ?? other.skipped;
    if (skipped) return console.log(`\nskipped: ${skipped}`);
    const loss = Number(other.held_out_loss);
    if (base === 'fp32') float = loss;
    rows.push([
      base,
      gigabytes(one.peak_rss_bytes),
      (Number(one.peak_rss_bytes) / Number(peer.peak_rss_bytes)).toFixed(2),
      (Number(one.cpu_ms_per_step) / 1000).toFixed(2),
      loss.toFixed(5),
      percentAbove(loss, float),
    ]);
  }
  console.log(`\n### LoRA beside a base in fewer bits: T=${context}, B=${batch}, ${threads} threads`);
  console.log(
    `Losses after ${steps} steps with T=${short.context}; PyTorch in float32: ${gigabytes(peer.peak_rss_bytes)}.`,
  );
  table(['base', 'peak memory', '× PyTorch', 'processor seconds a step', 'loss held out', 'above fp32'], rows);
}
