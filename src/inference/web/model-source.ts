import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { isJsonObject, type JsonObject } from '../../base/json.js';
import { parseJsonBytes } from '../../base/json-text.js';

/**
 * The files of a model in Hugging Face's layout by their names, of which `config.json`, `tokenizer.json` and
 * `model.safetensors` must be there; `tokenizer_config.json` and `generation_config.json` may be.
 *
 * @category Using a model
 */
export type WebModelFiles = Readonly<Record<string, Blob | ArrayBuffer | Uint8Array | string>>;

/** Where the files of a model are read. */
export interface ModelSource {
  /** What to call the model in errors. */
  readonly path: string;
  /** A file's bytes; undefined where there is none of the name. @throws MeanfieldError when it cannot be read */
  read(name: string): Promise<Uint8Array | undefined>;
}

const ADVICE = 'A model needs its config.json, tokenizer.json and model.safetensors, in one file each.';

/** @throws UsageError for what is no place of a model */
export function modelSource(model: string | URL | WebModelFiles): ModelSource {
  if (typeof model === 'string' || model instanceof URL) return fetched(model);
  if (typeof model === 'object' && model !== null) return given(model);
  throw new UsageError(
    `Cannot load a model: expected the URL of its folder, or its files by their names, got ${JSON.stringify(model)}.`,
  );
}

/** A file that must be there. */
export async function readFileOf(source: ModelSource, name: string): Promise<Uint8Array> {
  const bytes = await source.read(name);
  if (bytes === undefined) throw new MeanfieldError(`${source.path} has no ${name}. ${ADVICE}`);
  return bytes;
}

/** A file as text; undefined where there is none of the name. */
export async function readText(source: ModelSource, name: string): Promise<string | undefined> {
  const bytes = await source.read(name);
  return bytes && new TextDecoder().decode(bytes);
}

/** The JSON object of a file; undefined where there is none of the name. */
export async function readObject(source: ModelSource, name: string): Promise<JsonObject | undefined> {
  const bytes = await source.read(name);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = parseJsonBytes(bytes).value;
  } catch (error) {
    throw new MeanfieldError(`${source.path}: ${name} is damaged: expected JSON, got ${messageOf(error)}.`, {
      cause: error,
    });
  }
  if (!isJsonObject(value)) throw new MeanfieldError(`${source.path}: ${name} is damaged: expected a JSON object.`);
  return value;
}

function fetched(model: string | URL): ModelSource {
  const { location } = globalThis as { location?: { href: string } };
  let folder: URL;
  try {
    folder = new URL(`${String(model).replace(/\/$/, '')}/`, location?.href);
  } catch (error) {
    throw new UsageError(
      `Cannot load a model from ${JSON.stringify(String(model))}: expected the URL of a folder with its files.`,
      { cause: error },
    );
  }
  return {
    path: folder.href.replace(/\/$/, ''),
    async read(name) {
      const url = new URL(name, folder).href;
      const failed = (reason: string, cause?: unknown) =>
        new MeanfieldError(
          `Cannot fetch ${url}: ${reason}. The address must answer, and allow pages of this origin to read (CORS).`,
          { cause },
        );
      try {
        const response = await fetch(url);
        if (response.status === 404) return undefined;
        if (!response.ok) throw failed(`its server answers ${response.status}`);
        return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        throw error instanceof MeanfieldError ? error : failed(messageOf(error), error);
      }
    },
  };
}

function given(files: WebModelFiles): ModelSource {
  return {
    path: 'the model',
    async read(name) {
      const file = Object.hasOwn(files, name) ? files[name] : undefined;
      if (file === undefined) return undefined;
      if (typeof file === 'string') return new TextEncoder().encode(file);
      if (file instanceof Uint8Array) return file;
      if (file instanceof ArrayBuffer) return new Uint8Array(file);
      if (file instanceof Blob) return new Uint8Array(await file.arrayBuffer());
      throw new UsageError(`Cannot load a model: expected ${name} as a Blob, bytes or text, got ${typeof file}.`);
    },
  };
}
