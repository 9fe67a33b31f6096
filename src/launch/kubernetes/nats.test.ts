import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { natsThere } from '../../transport/nats/server.test-support.js';
import { natsManifests } from './nats.js';
import type { CoordinatorPlan } from './plan.js';

const coordinator: CoordinatorPlan = {
  corpus: { kind: 'claim', claim: 'c', paths: ['a'] },
  start: [],
  natsServers: 3,
  natsImage: 'nats',
  password: 'pabc',
  storage: '1Gi',
};
const plan = { name: 'book', image: 'm', workers: { count: 1, cpus: 1, memory: '1Gi', gpus: 0, join: [] } };

function configuration(natsServers: 1 | 3): string {
  const map = natsManifests(plan, { ...coordinator, natsServers })[1] as unknown as { data: Record<string, string> };
  return map.data['nats.conf']!;
}

describe('NATS on Kubernetes', () => {
  it('keeps the password in the Secret alone', () => {
    const [secret, ...others] = natsManifests(plan, coordinator);
    expect(secret).toMatchObject({ kind: 'Secret', stringData: { password: 'pabc' } });
    expect(JSON.stringify(others)).not.toContain('pabc');
  });

  it('is a cluster of three that know each other by name, or one alone', () => {
    expect(configuration(3)).toContain(
      'routes: [ nats://book-nats-0.book-nats:6222, nats://book-nats-1.book-nats:6222, nats://book-nats-2.book-nats:6222 ]',
    );
    expect(configuration(1)).not.toContain('cluster');
  });

  it.skipIf(!natsThere).each([1, 3] as const)('has a configuration that the server takes: %i', (servers) => {
    const folder = mkdtempSync(join(tmpdir(), 'meanfield-nats-'));
    try {
      writeFileSync(join(folder, 'nats.conf'), configuration(servers));
      const env = { ...process.env, POD_NAME: 'book-nats-0', NATS_PASSWORD: 'pabc' };
      const { status, stderr } = spawnSync('nats-server', ['-t', '-c', join(folder, 'nats.conf')], { env });
      expect([stderr.toString(), status]).toEqual([expect.stringContaining('configuration file'), 0]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
