import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { meanfield, program } from './command.js';
import expected from './fixtures/sentence/expected.json' with { type: 'json' };
import minilm from './fixtures/sentence/expected-minilm.json' with { type: 'json' };
import { modelPath, modelsThere } from './models/models.js';

const tiny = new URL('./fixtures/sentence/tiny', import.meta.url).pathname;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-embed-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** The program's output for what it reads from its standard input. */
function piped(input: string | Uint8Array, ...args: string[]): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout }));
    child.stdin.end(input);
  });
}

function farthest(actual: readonly (readonly number[])[], reference: readonly (readonly number[])[]): number {
  expect(actual.map(({ length }) => length)).toEqual(reference.map(({ length }) => length));
  return Math.max(...actual.flatMap((row, i) => row.map((value, j) => Math.abs(value - reference[i]![j]!))));
}

describe('meanfield embed', () => {
  test('writes a vector a line, empty lines among them', async () => {
    const file = join(folder, 'texts.txt');
    await writeFile(file, expected.texts.join('\r\n'));
    const { code, stdout, stderr } = await meanfield('embed', tiny, file);
    expect(code, stderr).toBe(0);
    const rows = stdout.trimEnd().split('\n');
    expect(
      farthest(
        rows.map((row) => row.split(' ').map(Number)),
        expected.whole,
      ),
    ).toBeLessThan(1e-5);
  });

  test('in 8 bits writes nearly the same, and refuses what there is not', async () => {
    const [whole, fewer] = await Promise.all(
      ['fp32', 'int8'].map(async (precision) => {
        const { code, stdout } = await piped(expected.texts.join('\n'), 'embed', tiny, '-', '--precision', precision);
        expect(code).toBe(0);
        return stdout
          .trimEnd()
          .split('\n')
          .map((row) => row.split(' ').map(Number));
      }),
    );
    expect(fewer).not.toEqual(whole);
    expect(farthest(fewer!, whole!)).toBeLessThan(0.05);
    const { code, stderr } = await meanfield('embed', tiny, '-', '--precision', 'int4');
    expect(code).toBe(2);
    expect(stderr).toContain('fp32, int8');
  });

  test('reads standard input, and writes JSON lines', async () => {
    const texts = Array.from({ length: 600 }, (_, i) => expected.texts[i % expected.texts.length]!);
    const { code, stdout } = await piped(`${texts.join('\n')}\n`, 'embed', tiny, '-', '--json');
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.pop()).toEqual({ type: 'result', texts: 600, width: 8 });
    expect(lines.map(({ type, line }) => [type, line])).toEqual(texts.map((_, i) => ['vector', i + 1]));
    const reference = texts.map((_, i) => expected.whole[i % expected.whole.length]!);
    expect(
      farthest(
        lines.map(({ vector }) => vector),
        reference,
      ),
    ).toBeLessThan(1e-5);
  });

  test('refuses what is no text, and what is not there', async () => {
    expect(await piped(Uint8Array.of(97, 255, 10), 'embed', tiny, '-', '--json')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('standard input is no UTF-8 text'),
    });
    const { code, stderr } = await meanfield('embed', tiny, join(folder, 'none.txt'));
    expect(code).toBe(1);
    expect(stderr).toContain('there is no such file');
  });

  test('info tells of the model, and eval that it tells no masked tokens', async () => {
    const info = await meanfield('info', tiny, '--json');
    expect(info.code, info.stderr).toBe(0);
    const result = await meanfield('eval', tiny, join(tiny, 'modules.json'));
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('no head that tells masked tokens');
  });

  test.skipIf(!modelsThere)('all-MiniLM-L6-v2 (needs MEANFIELD_MODELS)', { timeout: 60_000 }, async () => {
    const file = join(folder, 'texts.txt');
    await writeFile(file, minilm.texts.join('\n'));
    const { code, stdout, stderr } = await meanfield('embed', modelPath('all-MiniLM-L6-v2'), file, '--json');
    expect(code, stderr).toBe(0);
    const vectors = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).vector)
      .slice(0, -1);
    expect(farthest(vectors, minilm.vectors)).toBeLessThan(1e-5);
  });
});
