import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it, test } from 'vitest';

const src = new URL('../src', import.meta.url).pathname;

/** Where text with flags is no message: why it may be there. */
const NO_MESSAGES: Readonly<Record<string, string>> = {
  'planner/report/style.ts': 'CSS, whose variables begin with two dashes',
  'launch/slurm/': "arguments of Slurm's programs, and scripts for sbatch",
  'launch/kubernetes/coordinator.ts': 'the script that a container runs',
  'launch/kubernetes/network.ts': 'looks for a flag among the words for join',
  'transport/trust/server-process.ts:--ports_file_dir': 'an argument of nats-server',
};

/** Of an option's definition, what the help of the command line shows. */
const HELP = new Set(['help', 'otherwise', 'no']);

/** A flag in a sentence, unless the sentence tells a whole command line of Meanfield or another program. */
const FLAG = /(?<![-\w])--[a-z][-\w]*/g;
const COMMAND = /\b(?:meanfield|hf|llama-gguf-split|nats-server|squeue|node) (?:(?![.;:]\s).)*$/;

/** Flags in messages that a file's code writes. */
function flagsIn(path: string, text: string): string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && HELP.has(node.name.getText())) return;
    const written = textOf(node);
    if (written === undefined) {
      ts.forEachChild(node, look);
      return;
    }
    for (const { 0: flag, index } of written.matchAll(FLAG)) {
      if (COMMAND.test(written.slice(0, index))) continue;
      if (!Object.keys(NO_MESSAGES).some((place) => `${path}:${flag}`.startsWith(place)))
        found.push(`${path}: ${flag}`);
    }
    innermost(node, look);
  };
  look(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

/** What a literal says, or a sum of some: `…` stands for what is put in. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined;
  const [left, right] = [textOf(node.left), textOf(node.right)];
  return left === undefined && right === undefined ? undefined : `${left ?? '…'}${right ?? '…'}`;
}

/** Visits what is put into a text. */
function innermost(node: ts.Node, look: (node: ts.Node) => void): void {
  if (ts.isTemplateExpression(node)) for (const { expression } of node.templateSpans) look(expression);
  if (!ts.isBinaryExpression(node)) return;
  for (const side of [node.left, node.right]) {
    if (textOf(side) === undefined) look(side);
    else innermost(side, look);
  }
}

it('no message outside the command line names an option as the command line alone spells it', async () => {
  const names = await readdir(src, { recursive: true });
  const files = names.filter((name) => /(?<!\.test|-support)\.ts$/.test(name) && !name.startsWith('cli/'));
  expect(files.length).toBeGreaterThan(400);
  const found = files.sort().map(async (path) => flagsIn(path, await readFile(join(src, path), 'utf8')));
  expect((await Promise.all(found)).flat()).toEqual([]);
});

test.each([
  ["throw new Error('Give --port another.');", ['a.ts: --port']],
  ["throw new Error('Resume it: meanfield train --resume; or give ' + '--run another.');", ['a.ts: --run']],
  [`throw new Error(\`\${folder} is there: \${again ? 'use --force' : ''}.\`);`, ['a.ts: --force']],
  [`throw new Error(\`Go on by meanfield train --run \${run} \` + '--resume.');`, []],
  ["const table = { port: { kind: 'port', help: 'as --nats has it' } };", []],
  ["const message = { text: 'as --nats has it' };", ['a.ts: --nats']],
  ['// as --nats has it', []],
  ["import x from './--y.js'; count--; const dash = 'well--known';", ['a.ts: --y']],
])('in %s it sees %j', (text, flags) => {
  expect(flagsIn('a.ts', text)).toEqual(flags);
});
