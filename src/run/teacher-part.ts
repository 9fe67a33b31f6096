import { withTextModel } from '../hub/load-model.js';
import { Model } from '../model/model.js';
import type { Teacher } from '../objectives/next-tokens.js';
import { checkFrozen, writeFrozen } from './frozen-part.js';
import type { OpenRun } from './open-run.js';
import { mergeWithEngine } from './source.js';

/** A teacher whose parameters lie in the run's folder, as a thread is told of it. */
export interface TeacherPart {
  /** Its `config.json`. */
  readonly model: unknown;
  /** A safetensors file of its parameters. */
  readonly path: string;
  /** Of the file. */
  readonly sha256: string;
  readonly weight: number;
  readonly temperature: number;
}

/** Stores a teacher's parameters in the run's folder, or finds them there as they were. */
export async function teacherPart(run: OpenRun): Promise<TeacherPart | undefined> {
  const { options, chosen, paths, teacher } = run;
  if (options.teacher === undefined) return undefined;
  const settings = { path: paths.teacher, weight: options.teacherWeight, temperature: options.teacherTemperature };
  if (chosen.teacher) {
    const { config, sha256 } = chosen.teacher;
    const part = { ...settings, model: config, sha256 };
    await checkFrozen(part);
    return part;
  }
  const { layout, config } = teacher!.model;
  const parameters = await withTextModel(options.teacher, (opened) => opened.parameters(), mergeWithEngine);
  const sha256 = await writeFrozen(paths.teacher, layout, parameters);
  const kept = JSON.parse(JSON.stringify(config));
  await run.choose({ teacher: { model: options.teacher, parameters: layout.size, sha256, config: kept } });
  return { ...settings, model: kept, sha256 };
}

/** A teacher as an objective has it. */
export function teacherOf({
  model,
  weight,
  temperature,
}: Pick<TeacherPart, 'model' | 'weight' | 'temperature'>): Teacher {
  return { model: Model.fromConfig(model), weight, temperature };
}
