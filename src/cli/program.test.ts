import { CommanderError } from 'commander';
import { expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionName } from '../base/option-issues.js';
import { families } from '../model/model.js';
import { type TrainOptions, trainOptionsSchema } from '../run/options.js';
import { createProgram } from './program.js';

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

test('train takes every option of TrainOptions and no other', () => {
  const command = createProgram(async () => {}).commands.find((command) => command.name() === 'train')!;
  const flags = command.options.map((option) => option.long).filter((name) => name !== '--json' && name !== '--debug');
  const options = Object.keys(trainOptionsSchema.shape).filter((key) => key !== 'corpus');
  expect(flags.sort()).toEqual(options.map(optionName).sort());
});

test('train offers the choices that TrainOptions takes', () => {
  const command = createProgram(async () => {}).commands.find((command) => command.name() === 'train')!;
  const choices = command.options.filter((option) => option.argChoices);
  expect(choices.length).toBe(7);
  for (const option of choices) {
    const allowed = option.argChoices!;
    for (const value of allowed) {
      const parsed = trainOptionsSchema.safeParse({ corpus: ['a'], [option.attributeName()]: value });
      expect(parsed.success, `${option.long} ${value}`).toBe(true);
    }
    expect(trainOptionsSchema.safeParse({ corpus: ['a'], [option.attributeName()]: 'other' }).success).toBe(false);
  }
  expect(choices.find((option) => option.long === '--model')!.argChoices).toEqual(Object.keys(families));
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

test('what TrainOptions declares is what is checked', () => {
  expectTypeOf<z.input<typeof trainOptionsSchema>>().toExtend<TrainOptions>();
  expectTypeOf<keyof TrainOptions>().toEqualTypeOf<keyof z.input<typeof trainOptionsSchema>>();
  type Values<T> = Required<Omit<T, 'corpus'>>;
  expectTypeOf<Values<TrainOptions>>().toEqualTypeOf<Values<z.input<typeof trainOptionsSchema>>>();
});
