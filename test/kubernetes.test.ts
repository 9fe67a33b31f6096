import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { meanfield, program, TINY, text, workFolder } from './command.js';

const at = workFolder();
let pod: ChildProcess | undefined;
afterEach(() => void (pod?.exitCode === null && pod.kill('SIGTERM')));

describe.skipIf(!natsThere)('the pods of launch kubernetes (skipped without nats-server)', () => {
  test('what the coordinator starts has a server, and its output lets workers in', async () => {
    await writeFile(at('book.txt'), text(20_000));
    const start = `${TINY.join(' ')} --grace 1`;
    const manifests = await meanfield(
      ...['launch', 'kubernetes', '--image', 'i', '--corpus', at('book.txt'), '--start', start],
    );
    expect(manifests.code, manifests.stderr).toBe(0);
    const objects = parseAllDocuments(manifests.stdout).map((document) => document.toJS());
    const { containers, initContainers } = objects.find(
      ({ kind, metadata }) => kind === 'Job' && metadata.name === 'meanfield-coordinator',
    ).spec.template.spec;
    const corpus = objects.find(({ metadata }) => metadata.name === 'meanfield-corpus').binaryData['book.txt.gz'];
    // The pod's folders below one of ours, its port a free one.
    const here = (script: string) =>
      script
        .replaceAll(/(?<![\w/])\/(run\/meanfield|corpus|nats)(?=[/"\s]|$)/g, (_, name) => at(name))
        .replaceAll('--port 4222', '--port 0')
        .replaceAll(/--metrics-port \d+/g, '');
    for (const folder of ['run/meanfield', 'corpus', 'nats', 'bin']) await mkdir(at(folder), { recursive: true });
    await writeFile(at('corpus/book.txt.gz'), Buffer.from(corpus, 'base64'));
    execFileSync('/bin/sh', ['-c', here(initContainers[0].command[2])]);
    await writeFile(at('bin/meanfield'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
    await chmod(at('bin/meanfield'), 0o755);
    // Debian has nats-server in sbin: the one that is found was taken from the other image.
    const path = `${at('bin')}:/usr/bin:/bin`;
    pod = spawn('/bin/sh', ['-c', here(containers[0].command[2])], { env: { PATH: path, HOME: at('run/meanfield') } });
    const ended = new Promise<number | null>((resolve) => pod!.once('exit', resolve));
    let said = '';
    pod.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const output = at('run/meanfield/start.txt');
    const invitation = async () => /mf2\.[A-Za-z0-9_.-]+/.exec(await readFile(output, 'utf8').catch(() => ''))?.[0];
    await expect.poll(async () => (await invitation()) ?? said, { timeout: 30_000 }).toMatch(/^mf2/);
    expect((await stat(output)).mode & 0o777).toBe(0o600);
    const worker = await meanfield('join', (await invitation())!, '--cache', at('cache'), '--threads', '1');
    expect(worker.code, worker.stderr).toBe(0);
    expect(await ended, said).toBe(0);
  });
});
