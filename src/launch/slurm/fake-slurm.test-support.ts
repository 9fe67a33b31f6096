import type { RunSlurm, SlurmProgram } from './run-slurm.js';

/** A Slurm that answers from a list and keeps what it was asked. */
export function fakeSlurm(answers: Partial<Record<SlurmProgram, (args: readonly string[]) => string>>): {
  readonly run: RunSlurm;
  readonly calls: string[][];
} {
  const calls: string[][] = [];
  return {
    calls,
    run: async (program, args) => {
      calls.push([program, ...args]);
      return answers[program]?.(args) ?? '';
    },
  };
}

/** What squeue writes for tasks of `array`, one for each state. */
export function queueLines(array: string, states: readonly string[], name = 'meanfield-1'): string {
  return states
    .map((state, i) => `${array}|${i}|${state}|${state === 'PENDING' ? '(Resources)' : 'node1'}|${name}|/jobs/a.sh\n`)
    .join('');
}
