import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.js';

/** PyTorch as it is, and compiled, which takes minutes before the first step. */
export type TorchMode = 'eager' | 'compile';

/** What all parts are told. */
export interface Settings {
  /** A folder in Hugging Face's layout. */
  readonly model: string;
  /** A text to learn from. */
  readonly data: string;
  readonly context: number;
  readonly batch: number;
  readonly threads: number;
  readonly repeats: number;
  /** Undefined: each part's own. */
  readonly steps: number | undefined;
  readonly seeds: number;
  /** How PyTorch runs beside us. */
  readonly modes: readonly TorchMode[];
  /** JSONL of pairs, `context` and `reply`, that conversations are made of. */
  readonly replies: string | undefined;
}

const MODEL = 'SmolLM2-135M-Instruct';

/**
 * Options of the command line.
 *
 * @throws Error when no model is named, or it is not there
 */
export function settingsOf(options: Readonly<Record<string, string>>): Settings {
  const { MEANFIELD_MODELS: models, MEANFIELD_REPLIES } = process.env;
  const model = options.model ?? (models === undefined ? undefined : join(models, MODEL));
  if (model === undefined || !existsSync(join(model, 'config.json'))) {
    throw new Error(
      `${model ?? 'no model'}: name a folder that holds ${MODEL} with --model, or by MEANFIELD_MODELS the one that ` +
        'test/models/fetch.sh filled',
    );
  }
  const number = (name: string, otherwise: number) => Number(options[name] ?? otherwise);
  return {
    model,
    data: options.data ?? `${root}examples/tinyshakespeare.txt`,
    context: number('context', 512),
    batch: number('batch', 4),
    threads: number('threads', 2),
    repeats: number('repeats', 3),
    steps: options.steps === undefined ? undefined : Number(options.steps),
    seeds: number('seeds', 3),
    modes: (options.modes ?? 'eager,compile').split(',') as TorchMode[],
    replies: options.replies ?? MEANFIELD_REPLIES,
  };
}
