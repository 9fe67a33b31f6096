import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { ChatTemplate } from './render.js';

/** Marks of a turn in ChatML (OpenAI, 2023). */
export const CHATML_TOKENS = { start: '<|im_start|>', end: '<|im_end|>' } as const;

/** The template of models that have none of their own. */
export const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** The texts of a tokenizer's files, by name: `tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`. */
export type ChatFiles = Readonly<Record<string, string>>;

/** What a model's files say of conversations. */
export interface FoundTemplate extends ChatTemplate {
  /** Whether it is the model's own; else it is {@link CHATML}. */
  readonly own: boolean;
  /** What a text begins with, where the tokenizer puts it before texts; else empty. */
  readonly begin: string;
  /** What ends a text; empty where the tokenizer has no such token. */
  readonly end: string;
}

/** Of a model's folder, the texts of its files by name. */
type Files = Readonly<Record<string, string | undefined>>;

const SPECIAL = /^[a-z_]+_token$/;

/**
 * The template of a model: `chat_template.jinja`, else `chat_template` of `tokenizer_config.json` (of several by name the
 * one named `default`), else ChatML.
 *
 * @throws MeanfieldError when `tokenizer_config.json` is no JSON object
 */
export function findTemplate(files: Files): FoundTemplate {
  const config = parsed(files['tokenizer_config.json'] ?? '{}');
  const names = Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      const name = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
      return SPECIAL.test(key) && typeof name === 'string' ? [[key, name]] : [];
    }),
  );
  const own = files['chat_template.jinja'] ?? templateIn(config.chat_template);
  const { bos_token: bos = '', eos_token: eos = '' } = names;
  const begins = bos !== '' && (config.add_bos_token === true || addsAtStart(files['tokenizer.json'], bos));
  return { source: own ?? CHATML, names, own: own !== undefined, begin: begins ? bos : '', end: eos };
}

/** A model's files with the template in both places where it is looked for; ChatML where they have none. */
export function withTemplate(files: ChatFiles | undefined): ChatFiles | undefined {
  if (files === undefined) return undefined;
  const { source } = findTemplate(files);
  const config = { ...parsed(files['tokenizer_config.json'] ?? '{}'), chat_template: source };
  return {
    ...files,
    'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
    'chat_template.jinja': source,
  };
}

function templateIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const found = (value as { name?: unknown; template?: unknown }[]).find((one) => one?.name === 'default') ?? value[0];
  return typeof found?.template === 'string' ? found.template : undefined;
}

/** Whether the tokenizer's own processing puts this token before a text. */
function addsAtStart(tokenizer: string | undefined, bos: string): boolean {
  if (tokenizer === undefined) return false;
  const processing = JSON.stringify(parsed(tokenizer).post_processor ?? null);
  return processing.includes(`{"SpecialToken":{"id":${JSON.stringify(bos)}`);
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new MeanfieldError(`A file of the tokenizer is not valid JSON: ${messageOf(error)}.`, { cause: error });
  }
  throw new MeanfieldError('A file of the tokenizer must hold a JSON object.');
}
