import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { LISTS, type ListName } from './plan-options.js';

/** `meanfield plan models`, `clusters` and `accelerators`. */
export function definePlanLists(plan: Command, start: Start): void {
  for (const [name, what] of Object.entries(LISTS) as [ListName, string][]) {
    const command = plan
      .command(name)
      .summary(`list ${what}`)
      .description(`List the catalogue's ${what}.`)
      .action(() => start(async (context) => (await import('./plan-lists.js')).list(name, context)));
    finish(command, [`meanfield plan ${name}`, `meanfield plan ${name} --json`]);
  }
}
