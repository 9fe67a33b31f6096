import { expect, test } from 'vitest';
import { makeNkey } from './keys.js';
import { serverConfig } from './server-config.js';

const [coordinator, join, worker] = [makeNkey().key, makeNkey().key, makeNkey().key];
const settings = {
  run: 'r',
  listen: '0.0.0.0:4222',
  storage: '/runs/a "b"\\c/store',
  room: 12_345,
  certificateFile: '/c.pem',
  keyFile: '/k.pem',
};

test('a worker has an account of its own, with its own subjects alone', () => {
  const config = serverConfig({
    ...settings,
    users: { coordinator, invited: [{ key: join, id: 'a1' }], workers: [{ key: worker, names: ['w1', 'w2'] }] },
  });
  const account = config.slice(config.indexOf(`W_${worker} {`));
  const publish = /publish: \[ (.*?) \]/.exec(account)![1]!.split(', ');
  expect(publish).toEqual(
    [
      'mf.r.up.w1',
      'mf.r.b.w1.>',
      'mf.r.up.w2',
      'mf.r.b.w2.>',
      'mf.r.api.DIRECT.GET.*.mf.r.b.>',
      'mf.r.api.DIRECT.GET.KV_mf-r.>',
    ].map((subject) => `"${subject}"`),
  );
  const hear = /subscribe: \[ (.*?) \]/.exec(account)![1]!.split(', ');
  expect(hear).toEqual(
    ['mf.r.all', '$KV.mf-r.>', 'mf.r.down.w1', 'mf.r.down.w2', `_MF.${worker}.>`].map((subject) => `"${subject}"`),
  );
  expect(config.match(/jetstream: enabled/g)).toHaveLength(1);
  const door = config.slice(config.indexOf('J_a1 {'), config.indexOf('W_'));
  expect(door).toContain(`nkey: ${join}, permissions: { publish: [ "mf.r.ask.join.a1" ]`);
  expect(door).toMatch(/limits \{ max_connections: 1024, max_subscriptions: 8192, max_payload: 2097152 \}/);
  expect(account).toMatch(/limits \{ max_connections: 8, max_subscriptions: 72, max_payload: 2097152 \}/);
});

test('an invitation that has expired opens nothing, and paths may hold anything', () => {
  const config = serverConfig({ ...settings, users: { coordinator, invited: [], workers: [] } });
  expect(config).not.toContain(join);
  expect(config).not.toContain('J_');
  expect(config).toContain('store_dir: "/runs/a \\"b\\"\\\\c/store", max_file: 12345');
  expect(() => serverConfig({ ...settings, run: 'r } x', users: { coordinator, invited: [], workers: [] } })).toThrow();
});
