import { defineConfig } from 'tsdown';

/** What `package.json` exports. */
const library = {
  index: 'src/index.ts',
  graph: 'src/graph.ts',
  data: 'src/data.ts',
  planner: 'src/planner.ts',
  cluster: 'src/cluster.ts',
};

/** Entries of their own, because a thread or process is started from a file, not from a function. */
export const workers = {
  'probe-device': 'src/engine/node/probe-device.ts',
  'encode-worker': 'src/data/encode-worker.ts',
  'chat-worker': 'src/data/chat-worker.ts',
  'completion-worker': 'src/inference/completions/completion-worker.ts',
  'replica-worker': 'src/local/replica-worker.ts',
  'linpack-worker': 'src/linpack/worker.ts',
  'member-worker': 'src/cluster/model-thread/member-worker.ts',
};

/** TypeScript emits the docs of a table's entries behind the entries before, where editors do not look for them. */
const docsOnLinesOfTheirOwn = {
  name: 'docs-on-lines-of-their-own',
  renderChunk: (code: string, { fileName }: { readonly fileName: string }) =>
    fileName.endsWith('.d.ts') ? { code: code.replaceAll('; /**', ';\n/**') } : null,
};

/** What `await using` needs, of whoever compiles for an older library of JavaScript. */
const disposable = {
  name: 'disposable',
  renderChunk: (code: string, { fileName }: { readonly fileName: string }) =>
    fileName.endsWith('.d.ts') && /AsyncDisposable|asyncDispose/.test(code)
      ? { code: `/// <reference lib="esnext.disposable" />\n${code}` }
      : null,
};

const both = { format: 'esm', fixedExtension: false, clean: true, sourcemap: true } as const;

export default defineConfig([
  {
    ...both,
    entry: {
      ...library,
      cli: 'src/cli/main.ts',
      ...workers,
    },
    platform: 'node',
    target: 'node20.19',
    outDir: 'dist',
    dts: { entry: Object.values(library) },
    plugins: [docsOnLinesOfTheirOwn, disposable],
  },
  // What a page or a worker imports: with all that it needs but ONNX Runtime, so that a page without a bundler takes it as it is.
  {
    ...both,
    entry: { web: 'src/web.ts' },
    platform: 'browser',
    target: 'es2022',
    outDir: 'dist/browser',
    deps: { alwaysBundle: [/^(?!onnxruntime-)/], neverBundle: [/^onnxruntime-/], onlyBundle: false },
    dts: true,
    plugins: [docsOnLinesOfTheirOwn, disposable],
  },
]);
