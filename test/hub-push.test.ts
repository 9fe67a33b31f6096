import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { loadModel } from '../src/hub/load-model.js';
import { pushFolder } from '../src/hub/remote/push-folder.js';
import { meanfield } from './command.js';
import { folder, pull, sentence, server, useHub } from './hub-cache.js';

useHub();

describe('push', () => {
  it('puts a folder on the hub in one commit, large files by their hash, and it comes back', async () => {
    const out = join(folder, 'run/model');
    const { code, stdout, stderr } = await meanfield(
      'push',
      out,
      'acme/new',
      '--private',
      '--message',
      'First',
      '--json',
    );
    expect(code, stderr).toBe(0);
    expect(server.created).toEqual([
      expect.objectContaining({ name: 'new', organization: 'acme', visibility: 'private' }),
    ]);
    expect(server.commits).toHaveLength(1);
    const names = (await readdir(out)).sort();
    expect(server.commits[0]).toMatchObject({
      branch: 'main',
      lines: [{ key: 'header', value: { summary: 'First' } }, ...names.map(() => ({}))],
    });
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
      type: 'result',
      model: 'acme/new',
      files: names,
    });
    expect(server.storeAsked.map(({ method, authorization }) => [method, authorization])).toEqual([['PUT', undefined]]);
    await pull('acme/new');
    expect((await loadModel('acme/new')).parameters).toEqual((await loadModel(join(folder, 'run'))).parameters);
  });

  it('goes to a branch of a model that is there', async () => {
    await cp(sentence, join(folder, 'run-sentence'), { recursive: true });
    await writeFile(join(folder, 'run-sentence', '.secret'), 'x');
    const { files: sent } = await pushFolder(join(folder, 'run-sentence'), 'acme/tiny2', { branch: 'v2' });
    expect(sent).toContain('1_Pooling/config.json');
    expect(sent).not.toContain('.secret');
    await pushFolder(join(folder, 'run-sentence'), 'acme/tiny2', { branch: 'v2' });
    expect(server.branches).toEqual(['v2', 'v2']);
    expect(server.commits.map(({ branch }) => branch)).toEqual(['v2', 'v2']);
  });

  it('refuses runs, empty folders, names that are none, and asks for a token', async () => {
    const push = (from: string, model = 'acme/new') => pushFolder(join(folder, from), model);
    await expect(push('run')).rejects.toThrow(/is a run.*meanfield export/);
    await mkdir(join(folder, 'run-empty'));
    await expect(push('run-empty')).rejects.toThrow(/has no files/);
    await expect(push('run-none')).rejects.toThrow(/no such folder/);
    await expect(push('run/model', 'new')).rejects.toThrow(/expected org\/name/);
    vi.stubEnv('HF_TOKEN', '');
    await expect(push('run/model')).rejects.toThrow(/set HF_TOKEN to a token with the right to write/);
    expect(server.asked).toEqual([]);
  });

  it('tells what the hub refuses, and that nothing was committed', async () => {
    server.hostile = (_, response, path) => {
      if (!path.includes('/commit/')) return false;
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"error":"No rights"}');
      return true;
    };
    await expect(pushFolder(join(folder, 'run/model'), 'acme/new')).rejects.toThrow(/status 403 \(No rights\)/);
    expect(server.commits).toEqual([]);
  });
});
