import type { OptionsOf, OptionTable } from '../../base/option-table.js';

/** For how long invitations are good. */
export const INVITE_HOURS = {
  inviteHours: { kind: 'positive', value: 'n', default: 7 * 24, help: 'for which the invitation is good' },
} as const satisfies OptionTable;

/** The server of a run between machines, and who is let in. */
export const SERVER_OPTIONS = {
  nats: { kind: 'texts', value: 'url', help: 'a NATS server that runs; may be given again for a cluster' },
  natsCreds: { kind: 'text', value: 'file', help: 'credential for it: a .creds file' },
  natsNkey: { kind: 'text', value: 'file', help: 'credential for it: the seed of an nkey' },
  natsSigningKey: {
    kind: 'text',
    value: 'file',
    help: "its account's signing key: each worker gets a JWT of its own",
  },
  sharedCredential: { kind: 'flag', help: 'every worker may use our own credential' },
  natsReplicas: {
    kind: 'choice',
    choices: ['1', '3'],
    value: 'n',
    default: '1',
    help: 'servers that keep each message',
  },
  port: {
    kind: 'port',
    help: 'of the server that is started, 0: a free one',
    otherwise: '4222, or a free one where that is taken',
  },
  host: {
    kind: 'texts',
    help: 'by which others reach this machine, 127.0.0.1: none do; may be given again',
  },
  ...INVITE_HOURS,
  approve: {
    kind: 'flag',
    help: 'who comes by the invitation waits for meanfield cluster approve',
    no: 'nobody need wait; to --resume with what was started by --approve',
  },
  metricsPort: { kind: 'port', help: 'serve metrics for Prometheus there' },
} as const satisfies OptionTable;

/** The server of a run between machines, and who is let in. */
export interface ServerOptions extends OptionsOf<typeof SERVER_OPTIONS> {}
