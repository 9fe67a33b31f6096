import type { OptionTable } from '../base/option-table.js';
import { LOAD_OPTIONS } from '../inference/option-table.js';

/** Where a server listens, and whom it answers. */
export const LISTEN_OPTIONS = {
  /** The port; 0 takes one that is free. Default 8080. */
  port: { kind: 'port', default: 8080, help: 'port, 0 for any that is free' },
  /** The address to listen on, such as `0.0.0.0` for every network of the machine. Default `127.0.0.1`: this machine alone. */
  host: {
    kind: 'text',
    value: 'address',
    default: '127.0.0.1',
    help: 'address to listen on, 0.0.0.0 for all networks',
  },
  /** Keys of which a client has to show one. Default none: everybody who reaches the server may ask. */
  apiKey: {
    kind: 'texts',
    value: 'key|@file',
    file: true,
    help: 'a key that clients must show, or a file with one a line',
    otherwise: 'MEANFIELD_API_KEY, else none',
  },
  /** Origins whose pages may ask, beside those of this machine; `*` for all. Default none, or all where a key is asked for. */
  origin: {
    kind: 'texts',
    value: 'origin',
    help: 'a web origin whose pages may ask, * for all; may be given several times',
    otherwise: "this machine's, all with a key",
  },
  /** A certificate in PEM: the server speaks HTTPS then. */
  cert: { kind: 'text', value: 'file', help: 'certificate (PEM), for HTTPS' },
  /** The key of the certificate in PEM. */
  key: { kind: 'text', value: 'file', help: "the certificate's private key (PEM)" },
} as const satisfies OptionTable;

/** What a server allows. */
export const LIMIT_OPTIONS = {
  /** Requests that may wait for a model; more are refused with 429. Default 512. */
  maxQueue: { kind: 'count', default: 512, help: 'requests that may wait for a model' },
  /** Requests of a client (its key, or else its address) that may run at once. Default 512. */
  clientRequests: { kind: 'count', default: 512, help: 'requests of one client at once' },
  /** Tokens that a request may have written for each of its texts. Default: the context. */
  maxTokens: { kind: 'count', help: 'tokens that a text may have at most', otherwise: 'the context' },
  /** Bytes of a request. Default 2,000,000. */
  maxBody: { kind: 'count', default: 2_000_000, help: 'bytes of a request at most' },
  /** Seconds after which a request is given up. Default 600. */
  timeLimit: { kind: 'positive', default: 600, help: 'seconds after which a request is given up' },
  /** Seconds that running requests are given at the end. Default 30. */
  drain: { kind: 'notNegative', default: 30, help: 'seconds that running requests are given when it is stopped' },
} as const satisfies OptionTable;

/** Which models a server holds, and how. */
export const HOLD_OPTIONS = {
  precision: LOAD_OPTIONS.precision,
  threads: LOAD_OPTIONS.threads,
  /** Gigabytes that open models may take; those that were not asked for longest are closed. Default half of the machine's. */
  memory: {
    kind: 'positive',
    value: 'GB',
    help: 'gigabytes for models that are open',
    otherwise: "half of the machine's",
  },
  /** Adapters by name, beside the first model or the one named after `@`. */
  adapter: {
    kind: 'texts',
    value: 'name=folder',
    help: 'an adapter (PEFT, or a run) beside the first model, or NAME with name=folder@NAME; may be given several times',
  },
  /** Whether runs that go on are followed: a better model takes the place of the one before, and no request is lost. */
  follow: { kind: 'flag', help: 'take up a better model as soon as a run has one' },
  /** Whether what the precision costs is told at the start. */
  check: { kind: 'flag', help: 'measure at the start what the precision costs, on a text that the model writes' },
} as const satisfies OptionTable;

/** All options of a server, by what they are about. */
export const SERVE_GROUPS = { Listening: LISTEN_OPTIONS, Models: HOLD_OPTIONS, Limits: LIMIT_OPTIONS } as const;

/** All options of a server. */
export const SERVE_OPTIONS = { ...LISTEN_OPTIONS, ...HOLD_OPTIONS, ...LIMIT_OPTIONS } as const satisfies OptionTable;
