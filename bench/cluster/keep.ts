import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../src/base/files/atomic.js';
import { type JsonObject, jsonText } from '../../src/base/json.js';

/** What was measured before, by name: long benches go on from there. */
export interface Kept {
  /** The figures under a name; measures and keeps them when there are none yet. */
  once<T extends JsonObject>(name: string, measure: () => Promise<T>): Promise<T>;
}

/** @param folder one JSON file for each measurement; delete one to measure it again */
export function openKept(folder: string): Kept {
  mkdirSync(folder, { recursive: true });
  return {
    once: async <T extends JsonObject>(name: string, measure: () => Promise<T>) => {
      const path = join(folder, `${name.replace(/[^\w.-]+/g, '_')}.json`);
      if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T;
      console.error(`${new Date().toISOString().slice(11, 19)} measuring ${name}`);
      const figures = await measure();
      await writeFileAtomic(path, jsonText(figures));
      return figures;
    },
  };
}
