import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield devices`. */
export function defineDevices(program: Command, start: Start): void {
  const command = program
    .command('devices')
    .summary('tell what this machine can train on')
    .description('Tell what this machine can train on, with the measured speed of a matrix product on each device.')
    .action(() => start(async (context) => (await import('./devices.js')).showDevices(context)));
  finish(command, ['meanfield devices', 'meanfield devices --json']);
}
