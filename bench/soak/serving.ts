import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

/** A server in a process of its own. */
export interface Serving {
  readonly url: string;
  readonly child: ChildProcess;
  /** Bytes of memory that it has now; Linux alone tells. */
  rss(): Promise<number>;
  /** A figure of `/metrics`, summed over its labels. */
  figure(name: string): Promise<number>;
  /** Lets what runs end. @returns its exit status */
  stop(): Promise<number | null>;
}

/**
 * Starts `meanfield serve` with these arguments on a port of its own, and waits until it listens.
 *
 * @param program the built `cli.js`
 */
export async function startServing(program: string, args: readonly string[]): Promise<Serving> {
  const child = spawn(process.execPath, [program, 'serve', ...args, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said = (said + data).slice(-10_000);
  });
  let stopping = false;
  const closed = new Promise<number | null>((resolve) => {
    child.once('close', (code, signal) => {
      // Whoever asks it finds a closed port, and learns from this why.
      if (!stopping) console.error(`The server ended by itself (${signal ?? code}): ${said}`);
      resolve(code);
    });
  });
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line) as { type: string; url: string };
      if (event.type === 'listening') resolve(event.url);
    });
    void closed.then((code) => reject(new Error(`The server ended with ${code}: ${said}`)));
  });
  return {
    url,
    child,
    rss: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]);
    },
    figure: async (name) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text
        .split('\n')
        .filter((line) => new RegExp(`^meanfield_serve_${name}(?:\\{[^}]*\\})? `).test(line));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    stop: async () => {
      stopping = true;
      child.kill('SIGTERM');
      return closed;
    },
  };
}
