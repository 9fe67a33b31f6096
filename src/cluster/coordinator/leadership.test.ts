import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { lead } from './leadership.js';

const never = new AbortController().signal;
const text = (value: object) => new TextEncoder().encode(JSON.stringify(value));

it('does not wait for a dead process of this host', async () => {
  const { state } = new MemoryNetwork().connect().transport;
  const dead = { id: 'x', holder: `${hostname()} ${process.pid} another start`, term: 3, beat: 'y' };
  await state.set('leader', text(dead), 0);
  const lease = await lead(state, () => {}, never);
  // Also where the store had forgotten an earlier one.
  expect(lease.term).toBeGreaterThan(Date.now() - 60_000);
  await lease.release();
});

it('waits for one of another host, says for whom, and leads when it is let go', async () => {
  const { state } = new MemoryNetwork().connect().transport;
  const other = { id: 'x', holder: 'far-away 12 start', term: 2 ** 50, beat: 'y' };
  const revision = await state.set('leader', text(other), 0);
  const waited: string[] = [];
  const leading = lead(state, (leader) => waited.push(leader), never, 200);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(waited).toEqual(['far-away, process 12']);
  await state.set('leader', text({ ...other, id: '' }), revision);
  const lease = await leading;
  // Whatever this machine's clock says.
  expect(lease.term).toBe(2 ** 50 + 1);
  await lease.release();
});

it('takes what is no lease for none', async () => {
  const { state } = new MemoryNetwork().connect().transport;
  await state.set('leader', Uint8Array.of(255, 1), 0);
  await (await lead(state, () => {}, never)).release();
});
