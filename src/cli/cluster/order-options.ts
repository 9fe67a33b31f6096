import type { OptionTable } from '../../base/option-table.js';
import { INVITE_HOURS } from '../../cluster/server/options.js';

/** What `cluster watch` takes. */
export const WATCH_FLAGS = {
  every: { kind: 'positive', value: 'seconds', default: 1, help: 'seconds between looks' },
} as const satisfies OptionTable;

/** What `cluster evict` takes. */
export const EVICT_FLAGS = {
  reason: { kind: 'text', value: 'text', default: 'evicted by the operator', help: 'what it is told' },
} as const satisfies OptionTable;

/** What `cluster invite` takes. */
export const INVITE_FLAGS = {
  ...INVITE_HOURS,
  once: { kind: 'flag', help: 'for one machine alone' },
  approve: { kind: 'flag', help: 'who comes by it waits for meanfield cluster approve' },
  revoke: { kind: 'text', value: 'id', help: 'withdraw the one of this id, or all' },
  list: { kind: 'flag', help: 'tell which are good' },
} as const satisfies OptionTable;

/** What `cluster audit` takes. */
export const AUDIT_FLAGS = {
  windows: { kind: 'count', default: 32, help: 'windows of the validation part, evenly spaced, at most' },
} as const satisfies OptionTable;
