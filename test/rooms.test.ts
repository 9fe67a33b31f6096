import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, relative } from 'node:path';
import { build } from 'tsdown';
import { describe, expect, it } from 'vitest';
import rooms from './rooms.json' with { type: 'json' };

interface Room {
  /** What it may import beside itself, all above it. */
  readonly imports: readonly string[];
  /** Where its code runs: in Node alone, or in a browser's page and worker as well. */
  readonly runs: 'any' | 'node';
  /** Of a room that runs anywhere: its folders and files that need Node nevertheless. */
  readonly node?: readonly string[];
  /** Of a large room: its folders, each of which imports only those before it. Files beside them are their types and index. */
  readonly floors?: readonly string[];
}

/** The command line and the public API, directly in `src/`, may import all. */
const table: Readonly<Record<string, Room>> = rooms as Readonly<Record<string, Room>>;
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
    if (!Object.hasOwn(table, room)) return [`${path}: src/${room} is no room of the table`];
    const may = [room, ...table[room]!.imports];
    return (
      ours
        // The package's own description lies beside src/ and names the version.
        .filter((target) => target !== '../package.json' && !may.includes(roomOf(target)))
        .map((target) => `${path} imports ${target}; src/${room} may import ${may.join(', ')}`)
    );
  });
}

/** Imports within a room that go from a floor to a later one, or to the room's index. */
function upwards(sources: readonly Source[], rooms: Readonly<Record<string, Room>> = table): string[] {
  return sources.flatMap(({ path, ours }) => {
    const [room = '', floor, below] = path.split('/');
    const floors = rooms[room]?.floors;
    if (floors === undefined || below === undefined) return [];
    const own = floors.indexOf(floor!);
    if (own < 0) return [`${path}: ${floor} is no floor of src/${room}`];
    return ours
      .filter((target) => {
        const [other, where, file] = target.split('/');
        if (other !== room) return false;
        return file === undefined ? where === 'index.ts' : floors.indexOf(where!) > own;
      })
      .map((target) => `${path} imports ${target}; the floors of src/${room} are ${floors.join(', ')}`);
  });
}

const within = (path: string, part: string) => (part.endsWith('/') ? path.startsWith(part) : path === part);

function runsAnywhere(path: string): boolean {
  const room = table[roomOf(path)];
  return (
    room?.runs === 'any' &&
    !path.endsWith('.test-support.ts') &&
    !room.node?.some((part) => within(path, `${roomOf(path)}/${part}`))
  );
}

/** The sets of files each of which reaches every other by imports (Tarjan 1972). */
function circlesOf(sources: readonly Source[]): string[][] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (path: string): void => {
    index.set(path, index.size);
    low.set(path, index.get(path)!);
    stack.push(path);
    for (const target of byPath.get(path)!.ours) {
      if (!byPath.has(target)) continue;
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path)!, low.get(target)!));
    }
    if (low.get(path) !== index.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) circles.push(circle);
  };
  for (const { path } of sources) if (!index.has(path)) visit(path);
  return circles;
}

const all = await readSources();
const sources = all.filter(({ path }) => !path.endsWith('.test.ts'));

describe('the rooms of src/', () => {
  it('import only the rooms that the table names', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(trespasses(sources)).toEqual([]);
  });

  it('stand in an order in which each imports only those above it', () => {
    const order = Object.keys(table);
    for (const [room, { imports }] of Object.entries(table)) {
      for (const other of imports)
        expect(order.indexOf(other), `${room} and ${other}`).toBeLessThan(order.indexOf(room));
    }
  });

  it('with floors: import only floors before', () => {
    expect(Object.values(table).some(({ floors }) => floors !== undefined)).toBe(true);
    expect(upwards(sources)).toEqual([]);
  });

  it('keep files short: none over 500 lines, half of them under 150', () => {
    expect(all.filter(({ lines }) => lines > 500).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
    const lines = sources.map((source) => source.lines).sort((a, b) => a - b);
    expect(lines[Math.floor(lines.length / 2)]).toBeLessThan(150);
  });

  it('hold files that import each other in three circles at most', () => {
    // Operators are defined by each other's gradients; a codec is chosen among its kinds; a data set and its encoding.
    const circles = circlesOf(sources);
    expect(circles.length, JSON.stringify(circles, null, 2)).toBeLessThanOrEqual(3);
  });

  it('are no larger than 23 % of the source', () => {
    const sum = (of: readonly Source[]) => of.reduce((total, { lines }) => total + lines, 0);
    const shares = Object.keys(table).map((room) => [
      room,
      sum(sources.filter(({ path }) => roomOf(path) === room)) / sum(sources),
    ]);
    expect(shares.filter(([, share]) => (share as number) > 0.23)).toEqual([]);
  });

  it('that run anywhere make a bundle for the browser without a module of Node', async () => {
    const anywhere = sources.filter(({ path }) => runsAnywhere(path)).map(({ path }) => path);
    expect(anywhere.length).toBeGreaterThan(150);
    const folder = await mkdtemp(join(tmpdir(), 'meanfield-rooms-'));
    try {
      await build({
        config: false,
        cwd: join(src, '..'),
        entry: Object.fromEntries(anywhere.map((path) => [path.replace(/\.ts$/, ''), join('src', path)])),
        outDir: folder,
        format: 'esm',
        platform: 'browser',
        fixedExtension: false,
        deps: { alwaysBundle: [/^(?!node:)/], onlyBundle: false },
        dts: false,
        logLevel: 'error',
      });
      const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.js'));
      expect(names.length).toBeGreaterThanOrEqual(anywhere.length);
      const found = await Promise.all(
        names.map(async (name) => {
          const modules = importsOf(await readFile(join(folder, name), 'utf8'));
          return modules.filter((module) => module.startsWith('node:')).map((module) => `${name} imports ${module}`);
        }),
      );
      expect(found.flat()).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('name no file or folder that needs Node and is not there', () => {
    for (const [room, { node = [] }] of Object.entries(table)) {
      for (const part of node)
        expect(
          sources.some(({ path }) => within(path, `${room}/${part}`)),
          part,
        ).toBe(true);
    }
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

  it('objects to an import of a later floor or of the index, and to an unknown floor', () => {
    const source = (path: string, ...ours: string[]): Source => ({ path, lines: 1, ours, foreign: [] });
    const rooms = { house: { imports: [], runs: 'any', floors: ['cellar', 'attic'] } } as const;
    const where = 'the floors of src/house are cellar, attic';
    const allowed = [
      source('house/index.ts', 'house/attic/a.ts'),
      source('house/attic/a.ts', 'house/cellar/b.ts', 'house/attic/c.ts', 'house/types.ts', 'base/hash.ts'),
      source('garden/a.ts', 'house/index.ts'),
    ];
    expect(upwards(allowed, rooms)).toEqual([]);
    expect(upwards([source('house/cellar/b.ts', 'house/attic/a.ts', 'house/index.ts')], rooms)).toEqual([
      `house/cellar/b.ts imports house/attic/a.ts; ${where}`,
      `house/cellar/b.ts imports house/index.ts; ${where}`,
    ]);
    expect(upwards([source('house/roof/a.ts')], rooms)).toEqual(['house/roof/a.ts: roof is no floor of src/house']);
  });

  it('finds circles', () => {
    const source = (path: string, ...ours: string[]): Source => ({ path, lines: 1, ours, foreign: [] });
    const sources = [source('a.ts', 'b.ts', 'd.ts'), source('b.ts', 'c.ts'), source('c.ts', 'a.ts'), source('d.ts')];
    expect(circlesOf(sources).map((circle) => circle.sort())).toEqual([['a.ts', 'b.ts', 'c.ts']]);
  });
});
