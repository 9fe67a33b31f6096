import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { encodeInvitation } from '../../transport/trust/invitation.js';
import { createProgram } from '../program.js';
import { testOutput } from '../terminal/test-output.js';
import { launchKubernetes } from './launch-kubernetes.js';
import type { KubernetesFlags } from './launch-options.js';

const closed = new AbortController().signal;
const invitation = encodeInvitation({
  coordinator: 'c'.repeat(43),
  run: 'r1',
  servers: ['nats://host:4222'],
  credential: { kind: 'none' },
  access: 'shared',
  expires: Date.now() + 60_000,
});
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-launch-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The flags that a command line gives. */
async function flagsOf(...args: string[]): Promise<KubernetesFlags> {
  const program = createProgram(async () => {});
  await program.parseAsync(['launch', 'kubernetes', ...args], { from: 'user' });
  const launch = program.commands.find((command) => command.name() === 'launch')!;
  return launch.commands.find((command) => command.name() === 'kubernetes')!.opts();
}

async function launch(invite: string | undefined, ...args: string[]) {
  const output = testOutput();
  const code = await launchKubernetes(invite, await flagsOf('--image', 'i', ...args), { output, closed });
  const objects = parseAllDocuments(output.stdout.join('')).map((document) => document.toJS());
  return { code, objects, notes: output.stderr.join('') };
}

describe('launch kubernetes', () => {
  it('writes the invitation and the workers', async () => {
    const { code, objects, notes } = await launch(invitation, '--workers', '3', '--cpus', '2', '--namespace', 'ml');
    expect(code).toBe(0);
    expect(objects.map(({ kind }) => kind)).toEqual(['Secret', 'NetworkPolicy', 'Job']);
    expect(objects[0].stringData.invitation).toBe(invitation);
    expect(objects[2].spec.parallelism).toBe(3);
    expect(objects[2].spec.template.spec.containers[0].command[2]).toContain('--replicas 1 --threads 2');
    expect(notes).toBe('');
  });

  it('writes a whole run with a file in it, and says how the workers get the invitation', async () => {
    const text = join(folder, 'a book.txt');
    await writeFile(text, 'once upon a time');
    const { objects, notes } = await launch(undefined, '--corpus', text, '--start', ' --preset mini  --steps 5');
    const corpus = objects.find(({ metadata }) => metadata.name === 'meanfield-corpus');
    const stored = Buffer.from(corpus.binaryData['a_book.txt.gz'], 'base64');
    expect(gunzipSync(stored).toString()).toBe('once upon a time');
    const coordinator = objects.findLast(({ metadata }) => metadata.name === 'meanfield-coordinator');
    const script = coordinator.spec.template.spec.containers[0].command[2];
    expect(script).toContain('cluster start /corpus/a_book.txt.gz ');
    expect(script).toMatch(/--preset mini --steps 5 > \/run\/meanfield\/start\.txt$/);
    expect(notes).toContain('kubectl create secret generic meanfield-invitation --from-file=invitation=/dev/stdin');
    // Neither a terminal nor a list of processes shows the invitation.
    expect(notes).not.toMatch(/from-literal|kubectl logs|get secret/);
  });

  it('lets workers reach the servers of their invitation, by port', async () => {
    const { objects } = await launch(invitation);
    expect(objects[1].spec.egress[0]).toEqual({ ports: [{ protocol: 'TCP', port: 4222 }] });
  });

  it('writes to a file', async () => {
    const file = join(folder, 'run.yaml');
    const { objects, notes } = await launch(invitation, '--out', file);
    expect(objects).toEqual([]);
    expect(await readFile(file, 'utf8')).toContain('kind: Job');
    expect(notes).toBe(`Apply it: kubectl apply -f ${file}\n`);
  });

  it('wants an invitation or a corpus, not both and not neither', async () => {
    await expect(launch(undefined)).rejects.toThrow(UsageError);
    await expect(launch(invitation, '--corpus', 'a')).rejects.toThrow(/either an invitation.*or --corpus/);
  });

  it('refuses an invitation that is damaged or expired before anything is written', async () => {
    await expect(launch(invitation.slice(0, -1))).rejects.toThrow(MeanfieldError);
    await expect(launch('hello')).rejects.toThrow(/Expected an invitation/);
  });

  it('says what to do with a corpus that is too large, missing or more than one', async () => {
    const large = join(folder, 'large.gz');
    await writeFile(large, new Uint8Array(700_001));
    await expect(launch(undefined, '--corpus', large)).rejects.toThrow(/takes 700001 bytes.*--corpus-claim NAME/);
    await expect(launch(undefined, '--corpus', join(folder, 'none'))).rejects.toThrow(/Cannot read.*--corpus-claim/);
    await expect(launch(undefined, '--corpus', 'a', '--corpus', 'b')).rejects.toThrow(/--corpus-claim NAME/);
  });

  it('wants an image', async () => {
    await expect(flagsOf(invitation)).rejects.toThrow(/--image <name>' not specified/);
  });
});
