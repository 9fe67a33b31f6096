import { expect, test } from 'vitest';
import { checkServerOptions, openServer } from './open-server.js';

test('flags of a server that contradict each other are refused', async () => {
  const base = { inviteHours: 1 };
  for (const [flags, reason] of [
    [{ natsCreds: 'f' }, /`natsCreds` is for a server that runs already/],
    [{ nats: ['nats://h'], host: ['x'] }, /`host` is for a server that Meanfield starts/],
    [{ natsReplicas: '3' as const }, /three servers/],
    [{ nats: ['nats://h'], natsCreds: 'a', natsNkey: 'b' }, /not both/],
    [{ nats: ['nats://h'], natsSigningKey: 'a', sharedCredential: true as const }, /the first is the safer/],
    [{ nats: ['nats://h'] }, /`natsSigningKey` .* or `sharedCredential: true`/],
  ] as const) {
    await expect(checkServerOptions({ ...base, ...flags })).rejects.toThrow(reason);
  }
  const shared = { nats: ['nats://h'], natsReplicas: '3' as const, sharedCredential: true as const };
  await checkServerOptions({ ...base, ...shared });
});

test('a credential that cannot be read says whose option it was', async () => {
  const run = { id: 'r', folder: '/nonexistent' };
  const base = { nats: ['nats://h'], inviteHours: 1 };
  await expect(openServer(run, { ...base, natsCreds: '/nonexistent/x' }, () => {})).rejects.toThrow(
    /file of `natsCreds`/,
  );
  await expect(openServer(run, { ...base, natsNkey: import.meta.filename }, () => {})).rejects.toThrow(
    /no seed of a user/,
  );
  await expect(openServer(run, { ...base, natsSigningKey: import.meta.filename }, () => {})).rejects.toThrow(
    /SA and 56/,
  );
});
