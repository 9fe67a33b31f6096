import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { format } from 'node:util';
import { header, root } from './lib.js';

const FILE = `${root}bench/RESULTS.md`;
const INTRODUCTION = `# Results

Figures of \`npm run bench\`, each section with its command, its day, its machine and its versions. Shared machines drift by
a third within minutes: compare within a section, and repeat before you believe.
`;

/** Keeps what is printed until `finish`, then puts it into \`RESULTS.md\` in place of the same command's last section. */
export function startRecord(command: string, about: string): { finish: () => void } {
  const print = console.log;
  const lines: string[] = [];
  console.log = (...values: unknown[]) => {
    lines.push(format(...values));
    print(...values);
  };
  const title = `## \`${command}\``;
  print(title);
  console.log(`\n${about[0]!.toUpperCase()}${about.slice(1)}. ${header()}.`);
  return {
    finish: () => {
      console.log = print;
      const text = existsSync(FILE) ? readFileSync(FILE, 'utf8') : INTRODUCTION;
      const sections = text.split(/^(?=## )/m).filter((section) => !section.startsWith(`${title}\n`));
      sections.push(`${title}\n${lines.join('\n').trimEnd()}\n`);
      writeFileSync(FILE, `${sections.map((section) => section.trimEnd()).join('\n\n')}\n`);
    },
  };
}
