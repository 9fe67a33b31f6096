import { isJsonObject, type JsonObject, type JsonValue } from '../../base/json.js';
import { bringModel } from '../hub/bring-model.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { grouped, loss, short, table } from '../terminal/format.js';
import { describeRun, type RunDescription } from './run-description.js';

/** Tells what a run or a model folder is. */
export async function showInfo(folder: string, context: Context): Promise<number> {
  const { output } = context;
  if (!(await bringModel(folder, context))) return INTERRUPTED;
  const { notices, ...description } = await describeRun(folder);
  for (const message of notices) {
    output.event({ type: 'notice', message });
    output.note(`note: ${message}\n`);
  }
  output.event({ type: 'result', ...description });
  output.text(infoText(description));
  return 0;
}

/** A description for a person: one section a part that is there. */
export function infoText(description: Omit<RunDescription, 'notices'>): string {
  const { run, kind, model, progress } = description;
  const sections = [
    `${run}: ${kind === 'run' ? 'a run' : model?.path?.endsWith('.gguf') ? 'a GGUF file' : 'a Hugging Face model folder'}\n`,
  ];
  const section = (title: string, rows: string[][]) => {
    if (rows.length > 0) sections.push(`${title}\n${table(rows.map(([name, ...rest]) => [`  ${name}`, ...rest]))}`);
  };
  if (model) {
    section('model', [
      ...(model.path === undefined ? [] : [['folder', model.path]]),
      ['family', model.family],
      ['parameters', `${grouped(model.parameters)} (${short(model.parameters)})`],
      ...Object.entries(model.sizes).map(([name, size]) => [name, grouped(size)]),
    ]);
  }
  if (progress) {
    section('progress', [
      ['step', grouped(progress.step)],
      progress.samples === undefined
        ? ['tokens', grouped(progress.tokens ?? 0)]
        : ['samples', grouped(progress.samples)],
      ['train loss', loss(progress.train_loss)],
      ['val loss', loss(progress.val_loss)],
      ['best val loss', `${loss(progress.best_val_loss)}${bestAt(progress.best_step)}`],
      ['checkpoints', progress.checkpoints.join(', ') || 'none'],
    ]);
  }
  for (const name of ['configuration', 'data', 'chosen', 'environment'] as const) {
    section(name, flat(description[name] ?? {}));
  }
  return sections.join('\n');
}

function bestAt(step: number | null): string {
  return step === null ? '' : ` at step ${grouped(step)}`;
}

function flat(value: JsonObject, prefix = ''): string[][] {
  return Object.entries(value).flatMap(([key, inner]) =>
    isJsonObject(inner) ? flat(inner, `${prefix}${key}.`) : [[`${prefix}${key}`, shown(inner)]],
  );
}

function shown(value: JsonValue): string {
  if (typeof value === 'string') return value;
  return JSON.stringify(value);
}
