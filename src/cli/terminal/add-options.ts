import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../../base/errors.js';
import {
  type DataSource,
  type OptionDefinition,
  type OptionsOf,
  type OptionTable,
  rangeOf,
} from '../../base/option-table.js';
import { COMMAND_LINE } from '../../base/spelling.js';
import { numberReader, type ValueReader } from './values.js';

/** Adds the flags of tables, each table below its heading. */
export function addGroups(command: Command, groups: Readonly<Record<string, OptionTable>>): Command {
  for (const [title, table] of Object.entries(groups)) addOptions(command.optionsGroup(`${title}:`), table);
  return command;
}

/**
 * Adds a flag for each option of a table. What is not given stays undefined: defaults are told in the help, and filled in
 * where options are checked.
 */
export function addOptions(command: Command, table: OptionTable): Command {
  for (const [name, definition] of Object.entries(table)) {
    for (const option of flagsOf(name, definition)) command.addOption(option);
  }
  return command;
}

/** Of flags, those that are a table's options. */
export function pickOptions<T extends OptionTable>(table: T, flags: object): OptionsOf<T> {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => Object.hasOwn(table, name))) as OptionsOf<T>;
}

function flagsOf(name: string, definition: OptionDefinition): Option[] {
  const { kind, no, choices } = definition;
  const flag = COMMAND_LINE.option(name);
  if (kind === 'flag') {
    const negative = COMMAND_LINE.option(name, false);
    if (definition.default === true) return [new Option(negative, definition.help)];
    const positive = new Option(flag, definition.help);
    return no === undefined ? [positive] : [positive, new Option(negative, no)];
  }
  const option = new Option(`${flag} <${placeholder(definition)}>`, withDefault(definition));
  if (choices) option.choices(choices);
  option.makeOptionMandatory(definition.required === true);
  const read = readerOf(definition);
  return [read ? option.argParser(read) : option];
}

function placeholder({ kind, value, or }: OptionDefinition): string {
  if (value !== undefined) return value;
  switch (kind) {
    case 'text':
    case 'texts':
    case 'choice':
      return 'name';
    case 'source':
      return 'send|path:folder|URL';
    case 'whole':
    case 'count':
    case 'port':
      return or === undefined ? 'n' : `n|${or}`;
    default:
      return 'x';
  }
}

function withDefault({ help, default: value, otherwise }: OptionDefinition): string {
  const shown = otherwise ?? value;
  return shown === undefined ? help : `${help} (default: ${shown})`;
}

function readerOf(definition: OptionDefinition): ((text: string, before: unknown) => unknown) | undefined {
  const { kind, or, choices, reason, file } = definition;
  switch (kind) {
    case 'flag':
    case 'text':
      return undefined;
    case 'texts':
      return (text, before) => [...((before ?? []) as readonly string[]), ...(file ? linesOf(text) : [text])];
    case 'source':
      return readSource;
    case 'choice':
      // Commander says as much, but for the reason.
      return reason === undefined ? undefined : (text) => readChoice(text, choices!, reason);
    default:
      return numberReader(rangeOf(definition), or) as ValueReader<unknown>;
  }
}

/** A text itself, or for `@file` the lines of that file but empty ones. */
function linesOf(text: string): readonly string[] {
  if (!text.startsWith('@') || text.length === 1) return [text];
  try {
    const lines = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(text.slice(1))).split(/\r?\n/);
    return lines.filter((line) => line !== '');
  } catch (error) {
    throw new InvalidArgumentError(`Cannot read ${text.slice(1)}, a file of lines in UTF-8: ${messageOf(error)}.`);
  }
}

function readChoice(text: string, choices: readonly string[], reason: string): string {
  if (choices.includes(text)) return text;
  throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}: ${reason}.`);
}

function readSource(text: string): DataSource {
  if (text === 'send') return 'send';
  if (text.startsWith('path:') && text.length > 5) return { path: text.slice(5) };
  if (/^https?:\/\//.test(text)) return { http: text };
  throw new InvalidArgumentError('Expected send, path: and a folder that all machines see, or http(s)://...');
}
