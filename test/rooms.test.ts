import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import rooms from './rooms.json' with { type: 'json' };

/** What each room may import beside itself. The command line and the public API, directly in `src/`, may import all. */
const allowed: Readonly<Record<string, readonly string[]>> = rooms;
const src = new URL('../src', import.meta.url).pathname;

interface Source {
  /** Below `src/`. */
  readonly path: string;
  readonly lines: number;
  /** Our own files that it imports, below `src/`; types included. */
  readonly ours: readonly string[];
  /** Packages and Node's modules. */
  readonly foreign: readonly string[];
}

const specifier = /\b(?:from|import)\s*\(?\s*(?:\/\*.*?\*\/\s*)?['"]([^'"\n]+)['"]/g;

/** The modules named by a file's imports, exports and dynamic imports; comments do not count. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(specifier)].map((match) => match[1]!);
}

const publicApi = 'the public API';
const roomOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : publicApi);

async function readSources(): Promise<Source[]> {
  const names = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'));
  return Promise.all(
    names.sort().map(async (path) => {
      const text = await readFile(join(src, path), 'utf8');
      const modules = importsOf(text);
      const ours = modules.filter((name) => name.startsWith('.'));
      return {
        path,
        lines: text.split('\n').length - 1,
        ours: ours.map((name) => relative(src, normalize(join(src, dirname(path), name))).replace(/\.js$/, '.ts')),
        foreign: modules.filter((name) => !name.startsWith('.')),
      };
    }),
  );
}

/** Imports that leave a room without leave. */
function trespasses(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, ours }) => {
    const room = roomOf(path);
    if (room === 'cli' || room === publicApi) return [];
    if (!Object.hasOwn(allowed, room)) return [`${path}: src/${room} is no room of the table`];
    const may = [room, ...allowed[room]!];
    return (
      ours
        // The package's own description lies beside src/ and names the version.
        .filter((target) => target !== '../package.json' && !may.includes(roomOf(target)))
        .map((target) => `${path} imports ${target}; src/${room} may import ${may.join(', ')}`)
    );
  });
}

const all = await readSources();
const sources = all.filter(({ path }) => !path.endsWith('.test.ts'));

describe('the rooms of src/', () => {
  it('import only the rooms that the table names', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(trespasses(sources)).toEqual([]);
  });

  it('stand in an order in which each imports only those above it', () => {
    const order = Object.keys(allowed);
    for (const [room, others] of Object.entries(allowed)) {
      for (const other of others)
        expect(order.indexOf(other), `${room} and ${other}`).toBeLessThan(order.indexOf(room));
    }
  });

  it('keep files short: none over 500 lines, half of them under 150', () => {
    expect(all.filter(({ lines }) => lines > 500).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
    const lines = sources.map((source) => source.lines).sort((a, b) => a - b);
    expect(lines[Math.floor(lines.length / 2)]).toBeLessThan(150);
  });

  it('keep what a browser trains with free of Node', () => {
    const byPath = new Map(sources.map((source) => [source.path, source]));
    const reached = new Set(['engine/web/engine.ts', 'training/replica.ts']);
    for (const path of reached) for (const target of byPath.get(path)?.ours ?? []) reached.add(target);
    expect(reached.size).toBeGreaterThan(20);
    const node = [...reached].flatMap((path) =>
      (byPath.get(path)?.foreign ?? [])
        .filter((name) => name.startsWith('node:') || name === 'onnxruntime-node')
        .map((name) => `${path} imports ${name}`),
    );
    expect(node).toEqual([]);
  });
});

describe('the check itself', () => {
  it('sees every form of import and no comment', () => {
    const text = [
      "import a from './a.js';",
      "import type { B } from '../b.js';",
      "import './c.js';",
      "export * from './d.js';",
      "const e = await import('./e.js');",
      "type F = import('./f.js').F;",
      "// import './g.js'",
      "/* import './h.js' */",
      "import {\n  one,\n  two,\n} from './i.js';",
    ].join('\n');
    expect(importsOf(text)).toEqual(['./a.js', '../b.js', './c.js', './d.js', './e.js', './f.js', './i.js']);
  });

  it('objects to an import that the table does not name, and to an unknown room', () => {
    const source = (path: string, ...ours: string[]): Source => ({ path, lines: 1, ours, foreign: [] });
    expect(trespasses([source('graph/tensor.ts', 'model/model.ts')])).toEqual([
      'graph/tensor.ts imports model/model.ts; src/graph may import graph, base',
    ]);
    expect(trespasses([source('attic/x.ts')])).toEqual(['attic/x.ts: src/attic is no room of the table']);
    expect(trespasses([source('cli/main.ts', 'model/model.ts'), source('graph/a.ts', 'base/hash.ts')])).toEqual([]);
  });
});
