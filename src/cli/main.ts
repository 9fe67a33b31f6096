#!/usr/bin/env node
import { runCommandLine } from './run-command-line.js';

// Without a listener Node opens its debugger, to whoever can send the signal.
process.on('SIGUSR1', () => {});
process.exitCode = await runCommandLine(process.argv.slice(2));
