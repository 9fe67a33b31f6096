/** How whoever reads a message writes options: in code, or on the command line. */
export interface Spelling {
  /** An option by its name in camel case, and a value where one is advised. */
  option(name: string, value?: string | number | boolean): string;
  /** Where a command's options are listed: a sentence after a space, or nothing. */
  help(command: string): string;
}

/** `kvHeads` as the command line spells it: `--kv-heads`. */
export function optionName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** As in an object of options, between backquotes: names such as `run` and `steps` are words as well. */
export const CODE: Spelling = {
  option: (name, value) => {
    if (value === undefined) return `\`${name}\``;
    return `\`${name}: ${typeof value === 'string' ? `'${value}'` : String(value)}\``;
  },
  help: () => '',
};

/** `--kv-heads 2`. */
export const COMMAND_LINE: Spelling = {
  option: (name, value) => {
    if (value === false) return optionName(`no${name.charAt(0).toUpperCase()}${name.slice(1)}`);
    return value === undefined || value === true ? optionName(name) : `${optionName(name)} ${value}`;
  },
  help: (command) => ` See meanfield ${command} --help.`,
};

/** What errors say on the command line, where that is not their message. */
const onCommandLine = new WeakMap<Error, string>();

/**
 * An error whose message names options as code spells them, and which the command line tells in its own spelling.
 *
 * @param kind its class
 * @param say its message in a spelling
 */
export function spelledError<E extends Error>(
  kind: new (message: string, options?: ErrorOptions) => E,
  say: (spelling: Spelling) => string,
  options?: ErrorOptions,
): E {
  const error = new kind(say(CODE), options);
  onCommandLine.set(error, say(COMMAND_LINE));
  return error;
}

/** An error's message in a spelling. */
export function messageIn(spelling: Spelling, error: Error): string {
  return (spelling === COMMAND_LINE ? onCommandLine.get(error) : undefined) ?? error.message;
}
