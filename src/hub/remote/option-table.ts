import type { OptionTable } from '../../base/option-table.js';

/** How a folder is put on the hub. */
export const PUSH_OPTIONS = {
  /** Whether none but the account's own may see it, where it is made. */
  private: { kind: 'flag', help: 'where it is made: none but the account may see it' },
  /** The branch that it is committed to, made where there is none. Default `main`. */
  branch: { kind: 'text', value: 'name', default: 'main', help: 'branch to commit to; made where there is none' },
  /** Of the commit. */
  message: { kind: 'text', value: 'text', help: "the commit's message", otherwise: 'which files, by Meanfield' },
} as const satisfies OptionTable;
