import { UsageError } from '../base/errors.js';
import type { Architecture, TaskHead } from './architecture.js';
import { bert } from './bert.js';
import { distilbert } from './distilbert.js';
import type { FamilyName } from './family-names.js';
import { gemma, gemma2, gemma3 } from './gemma.js';
import { gpt2 } from './gpt2.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { modernbert } from './modernbert.js';
import { phi3 } from './phi3.js';
import { qwen2, qwen3 } from './qwen.js';
import { roberta } from './roberta.js';
import { smollm3 } from './smollm3.js';
import { t5 } from './t5.js';

/** The architectures by name. */
export const families: Readonly<Record<FamilyName | 'roberta', Architecture>> = {
  gpt2: gpt2 as Architecture,
  llama: llama as Architecture,
  bert: bert as Architecture,
  mistral: mistral as Architecture,
  qwen2: qwen2 as Architecture,
  qwen3: qwen3 as Architecture,
  smollm3: smollm3 as Architecture,
  phi3: phi3 as Architecture,
  gemma: gemma as Architecture,
  gemma2: gemma2 as Architecture,
  gemma3_text: gemma3 as Architecture,
  roberta: roberta as Architecture,
  distilbert: distilbert as Architecture,
  modernbert: modernbert as Architecture,
  t5: t5 as Architecture,
};

/** The head that the first class of `architectures` has on an architecture; one that is not known here is none. */
export function taskHeadOf({ heads }: Architecture, config: unknown): TaskHead | undefined {
  if (!heads) return undefined;
  const [name] = (config as { architectures?: readonly unknown[] | null }).architectures ?? [];
  if (typeof name !== 'string') return Object.values(heads)[0];
  const end = /For[A-Z]\w*$/.exec(name)?.[0];
  return end !== undefined && Object.hasOwn(heads, end) ? heads[end] : undefined;
}

/** @throws UsageError naming those that there are */
export function findArchitecture(name: string): Architecture {
  const architecture = Object.hasOwn(families, name) ? families[name as keyof typeof families] : undefined;
  if (!architecture) throw new UsageError(`Unknown model ${name}. Allowed: ${Object.keys(families).join(', ')}.`);
  return architecture;
}
