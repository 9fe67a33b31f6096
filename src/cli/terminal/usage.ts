import type { Command, CommanderError } from 'commander';
import { UsageError } from '../../base/errors.js';
import { editDistance } from '../../base/nearest.js';

/** Turns what commander found wrong into one message that lists what is allowed. */
export function usageError(command: Command, error: CommanderError): UsageError {
  const message = messageFor(command, error);
  const sentence = message.charAt(0).toUpperCase() + message.slice(1).replace(/\n\(Did/, ' (Did');
  const end = /[.?!)]$/.test(sentence) ? '' : '.';
  const allowed = allowedAfter(command, error.code);
  return new UsageError([`${sentence}${end}`, ...allowed, `See ${pathOf(command)} --help.`].join('\n'));
}

function messageFor(command: Command, error: CommanderError): string {
  if (error.code === 'commander.help') return 'a command is missing';
  const [word] = command.args;
  // A command that can do without a subcommand takes a misspelt one for an argument too many.
  if (error.code === 'commander.excessArguments' && command.commands.length > 0 && word !== undefined) {
    return unknownCommand(word.slice(0, 64), command);
  }
  return error.message.replace(/^error: /, '').trim();
}

/** Worded as commander words it where a subcommand must be there. */
function unknownCommand(word: string, command: Command): string {
  const near = command.commands
    .map((sub) => ({ name: sub.name(), edits: editDistance(word.toLowerCase(), sub.name()) }))
    .filter(({ name, edits }) => edits <= name.length * MOST_EDITS)
    .sort((a, b) => a.edits - b.edits);
  return `unknown command '${word}'${near.length > 0 ? ` (Did you mean ${near[0]!.name}?)` : ''}`;
}

/** Share of a name's letters that a slip of the fingers changes at most. */
const MOST_EDITS = 0.4;

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
