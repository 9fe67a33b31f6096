import { MeanfieldError } from '../../base/errors.js';
import { printableLine } from '../../base/printable.js';
import type { GgufValue, ValueType } from './header.js';

interface Types {
  UINT32: number;
  FLOAT32: number;
  BOOL: boolean;
  STRING: string;
}

/** The keys of a GGUF file, each of the type that llama.cpp asks for, which does not turn one into another. */
export class Metadata {
  readonly path: string;
  readonly #values: ReadonlyMap<string, GgufValue>;
  readonly #read = new Set<string>();

  constructor(path: string, values: ReadonlyMap<string, GgufValue>) {
    this.path = path;
    this.#values = values;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** A value, or undefined where the file does not have the key. @throws MeanfieldError when it is of another type */
  get<T extends keyof Types>(key: string, type: T): Types[T] | undefined {
    this.#read.add(key);
    const found = this.#values.get(key);
    if (found === undefined) return undefined;
    if (found.type !== type) throw this.fault(`${key} is of type ${found.type}, expected ${type}`);
    return found.value as Types[T];
  }

  /** A value that must be there. */
  need<T extends keyof Types>(key: string, type: T): Types[T] {
    const value = this.get(key, type);
    if (value === undefined) throw this.fault(`it has no ${key} (${type})`);
    return value;
  }

  /** A list, or undefined where the file does not have the key. */
  list(key: string, of: 'STRING'): readonly string[] | undefined;
  list(key: string, of: 'INT32' | 'FLOAT32'): readonly number[] | undefined;
  list(key: string, of: ValueType): readonly unknown[] | undefined {
    this.#read.add(key);
    const found = this.#values.get(key);
    if (found === undefined) return undefined;
    if (found.type !== 'ARRAY' || found.of !== of)
      throw this.fault(
        `${key} is of type ${found.type === 'ARRAY' ? `ARRAY of ${found.of}` : found.type}, expected ARRAY of ${of}`,
      );
    return found.value;
  }

  /** Keys that begin so and that nobody asked for. */
  unread(prefix: string): string[] {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix) && !this.#read.has(key));
  }

  /** An error that says what is wrong with the file's keys. */
  fault(reason: string): MeanfieldError {
    return new MeanfieldError(`${this.path} cannot be read as a model: ${printableLine(reason)}.`);
  }
}
