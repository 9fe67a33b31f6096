import { readFile } from 'node:fs/promises';
import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { UsageError } from '../base/errors.js';
import { schemaOf } from '../base/option-schema.js';
import { COMMAND_LINE, messageIn, optionName } from '../base/spelling.js';
import { FAMILIES } from '../model/family-names.js';
import { TRAIN_OPTIONS } from '../run/option-table.js';
import { createProgram } from './program.js';
import type { Context } from './terminal/context.js';

/** Parses without running anything; returns the options of the command that was named. */
async function parse(...args: string[]): Promise<Record<string, unknown>> {
  const program = createProgram(async () => {});
  await program.parseAsync(args, { from: 'user' });
  return program.commands.find((command) => command.name() === args[0])!.opts();
}

async function failure(...args: string[]): Promise<unknown> {
  return parse(...args).then(
    () => undefined,
    (error: unknown) => error,
  );
}

const commandNamed = (...names: string[]) =>
  names.reduce(
    (command, name) => command.commands.find((each) => each.name() === name)!,
    createProgram(async () => {}),
  );

test('train takes every option of its table and no other', () => {
  const flags = commandNamed('train').options.map((option) => option.long);
  expect(flags.sort()).toEqual(['--json', '--debug', ...Object.keys(TRAIN_OPTIONS).map(optionName)].sort());
});

test('cluster start says of a teacher where it can be had, and does not offer it', async () => {
  expect(commandNamed('cluster', 'start').helpInformation()).not.toContain('--teacher');
  let failed: unknown;
  const context = {} as Context;
  const program = createProgram(async (work) => {
    failed = await work(context).catch((error: unknown) => error);
  });
  await program.parseAsync(['cluster', 'start', 'a.txt', '--teacher', 'runs/large'], { from: 'user' });
  expect(failed).toBeInstanceOf(UsageError);
  expect(messageIn(COMMAND_LINE, failed as Error)).toBe(
    '--teacher runs/large: machines that join are not sent a teacher. Train on one machine, with --replicas for all of ' +
      'it, or leave it out.',
  );
});

test('train offers the choices that its options can be', () => {
  const schema = schemaOf(TRAIN_OPTIONS);
  const choices = commandNamed('train').options.filter((option) => option.argChoices);
  expect(choices.length).toBeGreaterThanOrEqual(9);
  for (const option of choices) {
    const allowed = option.argChoices!;
    for (const value of allowed) {
      const parsed = schema.safeParse({ [option.attributeName()]: value });
      expect(parsed.success, `${option.long} ${value}`).toBe(true);
    }
    expect(schema.safeParse({ [option.attributeName()]: 'other' }).success).toBe(false);
  }
  expect(choices.find((option) => option.long === '--model')!.argChoices).toEqual(FAMILIES);
});

test('cluster start takes what train does, but for what its table says only threads can have', () => {
  const flagsOf = (...names: string[]) =>
    commandNamed(...names).options.flatMap(({ long, hidden }) => (hidden ? [] : [long]));
  const start = flagsOf('cluster', 'start');
  const missing = flagsOf('train').filter((flag) => !start.includes(flag));
  expect(missing).toEqual([
    '--deepspeed',
    ...['--teacher', '--teacher-weight', '--teacher-temperature'],
    ...['--moments-precision', '--replicas', '--memory', '--offload', '--zero', '--device'],
  ]);
  expect(new Set(start).size).toBe(start.length);
});

test('values arrive as numbers under the names of TrainOptions', async () => {
  const text = '--kv-heads 2 --lr 3e-3 --replicas auto --until-loss 1.9 --resume --tokens 1e6';
  expect(await parse('train', 'a.txt', ...text.split(' '))).toEqual({
    kvHeads: 2,
    lr: 0.003,
    replicas: 'auto',
    untilLoss: 1.9,
    resume: true,
    tokens: 1_000_000,
  });
  expect(await parse('generate', 'runs/a', '--top-k', '5', '--temperature', '0', '--top-p', '0.5')).toEqual({
    topK: 5,
    temperature: 0,
    topP: 0.5,
  });
});

test.each([
  [['train', 'a', '--stepz', '1'], /Unknown option '--stepz' \(Did you mean --steps\?\)[\s\S]*--until-loss/],
  [['train', 'a', '--preset', 'huge'], /'huge' is invalid. Allowed choices are nano, micro,/],
  [['train', 'a', '--tokenizer', 'words'], /chars, bytes, bpe/],
  [['train', 'a', '--steps', 'many'], /--steps <n>' argument 'many' is invalid. Expected a whole number/],
  [['train', 'a', '--steps'], /argument missing/],
  [['eval', 'runs/a'], /Missing required argument 'file\|folder'/],
  [['info', 'a', 'b'], /Too many arguments/],
  [['tain'], /Unknown command 'tain' \(Did you mean train\?\)\nCommands: train, eval/],
  [
    ['plan', 'valdate'],
    /Unknown command 'valdate' \(Did you mean validate\?\)\nCommands: validate, calibrate, simulate/,
  ],
  [['plan', 'quux'], /Unknown command 'quux'\.\nCommands: validate, calibrate, simulate/],
  [[], /A command is missing.\nCommands: train, eval/],
])('%j is wrong usage that says what is allowed', async (args, expected) => {
  const error = await failure(...args);
  expect(error).toBeInstanceOf(UsageError);
  const { message } = error as UsageError;
  expect(message).toMatch(expected);
  expect(message).toMatch(/See meanfield.* --help\.$/);
  expect(message.split('\n').length).toBeLessThanOrEqual(5);
});

test('help loads nothing but the parser of arguments', async () => {
  const found = new Set<string>();
  const packages = new Set<string>();
  const visit = async (file: URL): Promise<void> => {
    if (found.has(file.href)) return;
    found.add(file.href);
    const text = await readFile(file, 'utf8');
    for (const [, name] of text.matchAll(/^(?:import|export)(?! type)[^'"]*?from '([^']+)'/gm)) {
      if (!name!.startsWith('.')) packages.add(name!);
      else if (!name!.endsWith('.json')) await visit(new URL(name!.replace(/\.js$/, '.ts'), file));
    }
  };
  await visit(new URL('program.ts', import.meta.url));
  expect(found.size).toBeGreaterThan(30);
  // Node has its own file system loaded anyway; an argument `@FILE` is read by it.
  expect([...packages]).toEqual(['commander', 'node:fs']);
});

test('help and version are no failures', async () => {
  const written: string[] = [];
  const program = createProgram(async () => {});
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeOut: (text) => written.push(text) });
  }
  for (const command of program.commands) {
    await expect(program.parseAsync([command.name(), '--help'], { from: 'user' })).rejects.toMatchObject({
      exitCode: 0,
    } satisfies Partial<CommanderError>);
    expect(written.join('')).toContain(`Usage: meanfield ${command.name()}`);
    expect(written.join('')).toContain(`  $ meanfield ${command.name()}`);
    written.length = 0;
  }
  await expect(program.parseAsync(['--version'], { from: 'user' })).rejects.toBeInstanceOf(CommanderError);
  expect(written.join('')).toMatch(/^\d+\.\d+\.\d+\n$/);
});
