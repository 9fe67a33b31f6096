import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { MemoryNetwork } from '../memory-transport.test-support.js';
import { RunKey } from '../signed.js';
import { InvitationFile } from './invitation-file.js';
import { makeInvitation } from './invitations.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-invitations-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
let next = 0;
const open = () => InvitationFile.open(join(folder, String(next++)));
const invitation = (once: boolean) => makeInvitation({ hours: 1, once, approve: false });

test('a coordinator on another machine knows what was made, used and withdrawn', async () => {
  const { transport, key } = new MemoryNetwork().connect();
  const [once, many, gone] = [invitation(true), invitation(false), invitation(false)];
  const first = await open();
  await first.keep([once, many]);
  const stop = await first.share(transport.state, key);
  await first.keep([...first.all(), gone]);
  await first.use(once.id, 'a');
  await first.keep(first.all().map((one) => (one.id === gone.id ? { ...one, revoked: true } : one)));
  stop();
  const second = await open();
  await expect(second.use(many.id, 'b')).rejects.toThrow(/withdrawn or has expired/);
  await second.share(transport.state, key);
  await second.use(many.id, 'b');
  await second.use(once.id, 'a');
  await expect(second.use(once.id, 'b')).rejects.toThrow(/for one machine/);
  await expect(second.use(gone.id, 'b')).rejects.toThrow(/withdrawn/);
  // What proves that one was invited is nobody else's to read.
  const stored = new TextDecoder().decode((await transport.state.get('invitations'))!.value);
  expect(stored).toContain(once.id);
  expect(stored).not.toContain(once.seed);
});

test('two that write at the same time lose nothing', async () => {
  const { transport, key } = new MemoryNetwork().connect();
  const files = await Promise.all([open(), open()]);
  for (const file of files) await file.share(transport.state, key);
  const made = [invitation(false), invitation(false)];
  await Promise.all(files.map((file, i) => file.keep([...file.all(), made[i]!])));
  const third = await open();
  await third.share(transport.state, key);
  expect(new Set(third.all().map(({ id }) => id))).toEqual(new Set(made.map(({ id }) => id)));
});

test('an old list that is put back, or one of another key, undoes nothing here', async () => {
  const { transport, key } = new MemoryNetwork().connect();
  const file = await open();
  const one = invitation(false);
  await file.keep([one]);
  await file.share(transport.state, key);
  const old = (await transport.state.get('invitations'))!;
  await file.keep([{ ...one, revoked: true }]);
  const now = (await transport.state.get('invitations'))!;
  expect(now.revision).toBeGreaterThan(old.revision);
  await transport.state.set('invitations', old.value, now.revision);
  await file.share(transport.state, key);
  await expect(file.use(one.id, 'a')).rejects.toThrow(/withdrawn/);
  const forged = invitation(false);
  const signed = RunKey.make().signed('invitations', new TextEncoder().encode(JSON.stringify([forged])));
  const { revision } = (await transport.state.get('invitations'))!;
  await transport.state.set('invitations', signed, revision);
  await file.share(transport.state, key);
  await expect(file.use(forged.id, 'a')).rejects.toThrow(/withdrawn/);
  const next = await open();
  await next.share(transport.state, key);
  await expect(next.use(one.id, 'a')).rejects.toThrow(/withdrawn/);
});

test('it is for the eyes of its owner, and told where it is damaged', async () => {
  const path = join(folder, 'own');
  const file = await InvitationFile.open(path);
  const one = invitation(false);
  await file.keep([one, { ...one, id: 'past', expires: 1 }]);
  const name = join(path, 'nats', 'invitations.json');
  expect((await stat(name)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(name, 'utf8'))).toHaveLength(1);
  expect((await InvitationFile.open(path)).all()).toEqual([one]);
  await writeFile(name, '{');
  await expect(InvitationFile.open(path)).rejects.toThrow(/is damaged\. Delete it/);
});
