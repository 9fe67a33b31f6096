import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../src/engine/node/engine.js';
import { Distribution } from '../src/linpack/blocks.js';
import { fillFrom, KINDS, makeSystem } from '../src/linpack/matrices.test-support.js';
import { measure } from '../src/linpack/measure.js';
import { Alone } from '../src/linpack/team.js';
import { jsonLines, meanfield, workFolder } from './command.js';

const at = workFolder();
const python = process.env.MEANFIELD_PYTHON;

describe('meanfield linpack', () => {
  it.each([1, 2, 3])('passes on %i threads, in fp64 and in fp32 with refinement', async (threads) => {
    const outcome = await meanfield('linpack', '--n', '500', '--nb', '48', '--threads', `${threads}`, '--json');
    expect(outcome.code, outcome.stderr).toBe(0);
    const result = jsonLines(outcome).at(-1)!;
    expect(result).toMatchObject({ type: 'result', results: [{ benchmark: 'hpl' }, { benchmark: 'mxp' }] });
    expect(result.top500).toMatchObject({ text: expect.stringMatching(/^>/), lists: expect.any(Array) });
    for (const one of result.results as Record<string, number>[]) {
      expect(one).toMatchObject({ n: 500, nb: 48, threads, passed: true });
      expect(one.residual).toBeLessThan(16);
      expect(one.gflops! * one.seconds!).toBeCloseTo(((2 / 3) * 500 ** 3 + 1.5 * 500 ** 2) / 1e9, 6);
      expect(one.share_of_product).toBeCloseTo(one.gflops! / one.product_gflops!, 9);
      expect(one.predicted_gflops).toBeGreaterThan(0);
      expect(one.predicted_gflops).toBeLessThan(one.product_gflops!);
    }
  });

  it.each([
    [['--n', '2000000'], 1, /needs .* GB .*--n \d+ fits/],
    [['--n', '100', '--nb', '200'], 2, /--nb: expected at most --n/],
    [['--n', '0'], 2, /whole number of 1 or more/],
    [['--benchmark', 'other'], 2, /hpl, mxp, both/],
  ])('%j is refused', async (args, code, message) => {
    const outcome = await meanfield('linpack', ...args);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(message);
  });
});

/** Reads systems (kind, n, A, b, our x) and says how far our x is from LAPACK's, over what conditioning allows. */
const COMPARE = `
import json, sys, numpy as np
worst, count = 0.0, 0
data = np.fromfile(sys.argv[1])
at = 0
while at < len(data):
    n = int(data[at]); at += 1
    a = data[at:at + n * n].reshape(n, n); at += n * n
    b = data[at:at + n]; at += n
    x = data[at:at + n]; at += n
    theirs = np.linalg.solve(a, b)
    allowed = 64 * n * np.finfo(float).eps * np.linalg.cond(a)
    worst = max(worst, np.linalg.norm(x - theirs) / (np.linalg.norm(theirs) * allowed))
    count += 1
print(json.dumps({"worst": worst, "count": count}))
`;

it.skipIf(!python)(
  '1,000 systems up to 300 equations have LAPACK’s solution (MEANFIELD_PYTHON)',
  async () => {
    const engine = new NodeEngine();
    const parts: Float64Array[] = [];
    for (let seed = 0; seed < 1000; seed++) {
      // Few sizes of blocks, so that sessions are compiled once in a while; most systems small, some of 300.
      const n = seed % 25 === 0 ? 300 : 2 + ((seed * 7) % 60);
      const system = makeSystem(KINDS[seed % KINDS.length]!, n, seed);
      const distribution = new Distribution(n, n === 300 ? 128 : Math.min(n, 32), 1);
      const { x } = await measure(engine, new Alone(n), { distribution, type: 'float64', fill: fillFrom(system) });
      parts.push(Float64Array.of(n), system.a, system.b, x);
    }
    await writeFile(at('systems'), Buffer.concat(parts.map((part) => new Uint8Array(part.buffer))));
    await writeFile(at('compare.py'), COMPARE);
    const { stdout } = await promisify(execFile)(python!, [at('compare.py'), at('systems')]);
    const { worst, count } = JSON.parse(stdout) as { worst: number; count: number };
    expect(count).toBe(1000);
    expect(worst).toBeLessThan(1);
  },
  300_000,
);
