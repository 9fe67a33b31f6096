import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A program in a page or a docstring, as a file that the compiler is given. */
interface Sample {
  /** Where it would lie, below the root. */
  readonly file: string;
  readonly code: string;
}

/** The programs between ```ts and ``` of the pages, and what follows `@example` in the sources. */
async function samples(): Promise<Sample[]> {
  const pages = [
    'README.md',
    ...(await readdir(`${root}docs`)).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
  ];
  const found: Sample[] = [];
  for (const page of pages) {
    const text = await readFile(join(root, page), 'utf8');
    for (const [, code] of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm))
      found.push({ file: nameFor(page, found), code: code! });
  }
  const sources = (await readdir(`${root}src`, { recursive: true })).filter((name) => /(?<!test)\.ts$/.test(name));
  for (const source of sources) {
    const text = await readFile(join(root, 'src', source), 'utf8');
    for (const [, example] of text.matchAll(/^ *\* @example\n((?: *\* ?.*\n)*?) *\*(?:\/| @)/gm)) {
      const code = example!.replace(/^ *\* ?/gm, '');
      found.push({
        file: nameFor(`src/${source}`, found),
        code: / from 'meanfield[/']/.test(code) ? code : inFile(text, source, code),
      });
    }
  }
  return found;
}

function nameFor(path: string, found: readonly Sample[]): string {
  return `${dirname(path)}/example-${found.length}.ts`;
}

/** An example of a part that is not public sees what its own file exports, and the names below. */
function inFile(text: string, source: string, code: string): string {
  const exported = [...text.matchAll(/^export (?:async )?(?:function\*?|class|const) (\w+)/gm)].map(([, name]) => name);
  return `import { ${exported.join(', ')} } from './${source.replace(/^.*\//, '').replace(/ts$/, 'js')}';\n${GIVEN[source] ?? ''}\n${code}`;
}

/** What examples of a file take for given, as one who reads it would. */
const GIVEN: Readonly<Record<string, string>> = {
  'inference/generator.ts':
    "import { NodeEngine } from '../engine/node/engine.js'; declare const { model, parameters, tokenizer }: import('./generator.js').GeneratorOptions;",
  'graph/gradients.ts': "import { input, mul, reduceSum } from './index.js';",
  'hub/model-folder.ts':
    "declare const { config, tensors }: import('./model-folder.js').ModelContent; declare const text: string;",
  'run/checkpoint.ts': 'declare const vector: Float32Array;',
  'rounds/tick.ts': "declare const before: import('./types.js').RoundsState;",
  'cli/terminal/progress-line.ts': "declare const output: import('./output.js').Output;",
  'base/safetensors-writer.ts': "import { writeFileAtomic } from './files/atomic.js';",
};

/** What the compiler finds wrong, by the sample's place. */
function complaints(programs: readonly Sample[]): string[] {
  const files = new Map(programs.map(({ file, code }) => [join(root, file), `${code}\nexport {};\n`]));
  const { options } = ts.parseJsonConfigFileContent(
    { ...ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile).config, include: [] },
    ts.sys,
    root,
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile: read } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? read(name);
  host.getSourceFile = (name, language, ...rest) =>
    files.has(name) ? ts.createSourceFile(name, files.get(name)!, language) : getSourceFile(name, language, ...rest);
  const paths = { meanfield: [`${root}src/index.ts`], 'meanfield/*': [`${root}src/*.ts`] };
  const program = ts.createProgram([...files.keys()], { ...options, noEmit: true, paths }, host);
  return [...files.keys()].flatMap((name) => {
    const file = program.getSourceFile(name)!;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText }) =>
        `${name.slice(root.length)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}\n${files.get(name)}`,
    );
  });
}

test('the examples of README, docs and docstrings compile', async () => {
  const programs = await samples();
  expect(programs.filter(({ file }) => file.startsWith('src/')).length).toBeGreaterThan(12);
  expect(programs.filter(({ file }) => !file.startsWith('src/')).length).toBeGreaterThan(2);
  expect(complaints(programs)).toEqual([]);
}, 180_000);

test('and one that does not is noticed', () => {
  const code =
    "import { load } from 'meanfield';\nconst model = await load('runs/book', { thread: 2 });\nmodel.write();";
  expect(complaints([{ file: './example.ts', code }]).length).toBe(2);
}, 180_000);
