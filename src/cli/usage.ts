import type { Command, CommanderError } from 'commander';
import { UsageError } from '../base/errors.js';

/** Turns what commander found wrong into one message that lists what is allowed. */
export function usageError(command: Command, error: CommanderError): UsageError {
  const message =
    error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '').trim();
  const sentence = message.charAt(0).toUpperCase() + message.slice(1).replace(/\n\(Did/, ' (Did');
  const end = /[.?!)]$/.test(sentence) ? '' : '.';
  const allowed = allowedAfter(command, error.code);
  return new UsageError([`${sentence}${end}`, ...allowed, `See ${pathOf(command)} --help.`].join('\n'));
}

/** The command as it is typed: `meanfield train`. */
export function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

function allowedAfter(command: Command, code: string): string[] {
  if (code === 'commander.unknownCommand' || (code === 'commander.help' && command.commands.length > 0)) {
    return [`Commands: ${command.commands.map((sub) => sub.name()).join(', ')}.`];
  }
  if (code === 'commander.unknownOption') {
    const options = command.createHelp().visibleOptions(command);
    return [`Options: ${options.map((option) => option.long ?? option.flags).join(', ')}.`];
  }
  if (code === 'commander.excessArguments' && command.commands.length > 0) {
    return [`Commands: ${command.commands.map((sub) => sub.name()).join(', ')}.`];
  }
  if (code === 'commander.excessArguments' || code === 'commander.missingArgument') {
    return [`Usage: ${pathOf(command)} ${command.usage()}`];
  }
  return [];
}
