/**
 * Where the built file of a worker thread lies. A thread is started from a file, so each worker is an entry of its own
 * in the bundle; a test that runs the sources uses the built one too.
 *
 * @param name the entry's name in `tsdown.config.ts`, without extension
 */
export function workerFile(name: string): URL {
  const here = import.meta.url;
  const fromSource = here.endsWith('/src/base/worker-file.ts');
  return new URL(fromSource ? `../../dist/${name}.js` : `./${name}.js`, here);
}
