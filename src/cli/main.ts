#!/usr/bin/env node
import { runCommandLine } from './run-command-line.js';
import { createOutput } from './terminal/output.js';
import { reportError } from './terminal/report-error.js';

// Without a listener Node opens its debugger, to whoever can send the signal.
process.on('SIGUSR1', () => {});
// What no command has caught is told like any other error, not by Node's page of source and stack.
process.on('uncaughtException', (error) => {
  const args = process.argv;
  process.exit(reportError(error, createOutput(args.includes('--json')), args.includes('--debug')));
});
process.exitCode = await runCommandLine(process.argv.slice(2));
