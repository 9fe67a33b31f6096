import { createOutput, type Output } from './output.js';

/** An output that keeps what is written, for tests. */
export interface TestOutput extends Output {
  readonly stdout: string[];
  readonly stderr: string[];
}

export function testOutput(json = false, isTTY = false): TestOutput {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const output = createOutput(json, {
    stdout: { write: (text) => stdout.push(text), isTTY },
    stderr: { write: (text) => stderr.push(text), isTTY, columns: 60 },
  });
  return { ...output, stdout, stderr };
}
