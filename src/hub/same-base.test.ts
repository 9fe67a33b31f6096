import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { isSameBase } from './same-base.js';

const llama = new URL('../../test/fixtures/models/llama', import.meta.url).pathname;
let folder: string;
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-base-'));
  await mkdir(at('runs/book'), { recursive: true });
  await cp(llama, at('runs/book/model'), { recursive: true });
  await cp(llama, at('tiny'), { recursive: true });
  await symlink(at('tiny'), at('link'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

test('names that lead to one folder are of one model', async () => {
  expect(await isSameBase(at('tiny'), at('tiny'))).toBe(true);
  expect(await isSameBase(at('link'), at('tiny'))).toBe(true);
  expect(await isSameBase(at('runs/book/model'), at('runs/book'))).toBe(true);
  expect(await isSameBase(at('tiny'), at('runs/book'))).toBe(false);
});

test('and those that end alike, wherever each lies', async () => {
  expect(await isSameBase('/elsewhere/Tiny', at('tiny'))).toBe(true);
  expect(await isSameBase('some/tiny', at('tiny'))).toBe(true);
  expect(await isSameBase('some/tiny@v2', 'others/tiny')).toBe(true);
  expect(await isSameBase('some/tiny', 'some/large')).toBe(false);
  expect(await isSameBase('/gone/runs/book/model', at('runs/book'))).toBe(true);
  expect(await isSameBase('', at('tiny'))).toBe(false);
  expect(await isSameBase('\0', at('tiny'))).toBe(false);
});

test('a snapshot of the hub has the name of its model', async () => {
  const commit = '0123456789abcdef0123456789abcdef01234567';
  const snapshot = at('hub/models--some--small/snapshots', commit);
  await cp(llama, snapshot, { recursive: true });
  await mkdir(at('hub/models--some--small/refs'));
  await writeFile(at('hub/models--some--small/refs/main'), commit);
  expect(await isSameBase('some/small', snapshot)).toBe(false);
  vi.stubEnv('HF_HUB_CACHE', at('hub'));
  expect(await isSameBase('some/small', snapshot)).toBe(true);
});
