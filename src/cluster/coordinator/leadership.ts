import { hostname } from 'node:os';
import { processStart } from '../../base/files/process-identity.js';
import { isJsonObject } from '../../base/json.js';
import { StateConflictError } from '../../transport/errors.js';
import { LeadershipLease } from '../../transport/nats/lease.js';
import type { StateStore } from '../../transport/transport.js';

const KEY = 'leader';
/** Longer than a store of three servers needs to find a new leader of its own (measured: 7 s at most). */
const TTL = 12_000;

/**
 * Waits until this process leads the run. A dead process of this host is not waited for.
 *
 * @param onWaiting hears who leads
 */
export async function lead(
  state: StateStore,
  onWaiting: (leader: string) => void,
  signal: AbortSignal,
  ttl = TTL,
): Promise<LeadershipLease> {
  await freeIfDead(state);
  const holder = [hostname(), process.pid, await processStart(process.pid)].join(' ');
  // Workers outlive what a server keeps; clocks that differ do not matter while it keeps the last term.
  const options = { key: KEY, holder, ttl, leastTerm: Date.now() };
  return LeadershipLease.acquire(state, { ...options, onWaiting: (other) => onWaiting(nameOf(other)) }, signal);
}

/** Gives back the lease of a process of this host that is no more. */
async function freeIfDead(state: StateStore): Promise<void> {
  const current = await state.get(KEY);
  if (!current) return;
  const content = parse(current.value);
  if (!isJsonObject(content) || typeof content.holder !== 'string') return;
  const [host, pid, ...start] = content.holder.split(' ');
  if (host !== hostname() || (await processStart(Number(pid))) === start.join(' ')) return;
  try {
    await state.set(KEY, new TextEncoder().encode(JSON.stringify({ ...content, id: '' })), current.revision);
  } catch (error) {
    // Another was faster.
    if (!(error instanceof StateConflictError)) throw error;
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Host and process, for people. */
function nameOf(holder: string): string {
  const [host, pid] = holder.split(' ');
  return `${host}, process ${pid}`;
}
