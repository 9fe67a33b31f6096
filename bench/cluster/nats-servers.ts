import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './network.js';

/** One NATS server, or a cluster of three, each on a machine of its own. */
export interface NatsServers {
  /** For `--nats`. */
  readonly urls: readonly string[];
  /** Kills the server that leads most streams (or the only one) and starts it again. @returns its number */
  killLeader(downFor: number): Promise<number>;
  remove(): Promise<void>;
}

const PORTS = { client: 4222, route: 6222, monitor: 8222 };

export async function startNats(machines: readonly Machine[]): Promise<NatsServers> {
  const folder = mkdtempSync(join(tmpdir(), 'meanfield-bench-nats-'));
  const children: ChildProcess[] = [];
  const start = (i: number): void => {
    const { prefix } = machines[i]!;
    const words = [...prefix, 'nats-server', '-c', join(folder, `${i}.conf`)];
    children[i] = spawn(words[0]!, words.slice(1), { stdio: 'ignore' });
  };
  for (const [i, machine] of machines.entries()) {
    mkdirSync(join(folder, String(i)));
    writeFileSync(join(folder, `${i}.conf`), configuration(i, machine, machines, join(folder, String(i))));
    start(i);
  }
  const ready = async (i: number) => {
    for (let tries = 0; tries < 300; tries++) {
      const health = await ask(machines[i]!, '/healthz');
      if (health !== undefined && JSON.parse(health).status === 'ok') return;
      await sleep(100);
    }
    throw new Error(`nats-server ${i} did not become healthy`);
  };
  await Promise.all(machines.map((_, i) => ready(i)));
  return {
    urls: machines.map(({ address }) => `nats://${address}:${PORTS.client}`),
    killLeader: async (downFor) => {
      const leader = machines.length === 1 ? 0 : await leaderOf(machines);
      await end(children[leader]!, 'SIGKILL');
      await sleep(downFor);
      start(leader);
      await ready(leader);
      return leader;
    },
    remove: async () => {
      for (const child of children) await end(child, 'SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(i: number, machine: Machine, machines: readonly Machine[], store: string): string {
  const lines = [
    `server_name: n${i}`,
    `listen: "${machine.address}:${PORTS.client}"`,
    `http: "${machine.address}:${PORTS.monitor}"`,
    'max_payload: 8MB',
    `jetstream { store_dir: "${store}" }`,
  ];
  if (machines.length > 1) {
    const routes = machines.map(({ address }) => `nats://${address}:${PORTS.route}`).join(', ');
    lines.push(`cluster { name: bench, listen: "${machine.address}:${PORTS.route}", routes: [${routes}] }`);
  }
  return `${lines.join('\n')}\n`;
}

/** The server that leads most of the streams, which hold the run. */
async function leaderOf(machines: readonly Machine[]): Promise<number> {
  for (const machine of machines) {
    const text = await ask(machine, '/jsz?accounts=true&streams=true');
    if (text === undefined) continue;
    const streams =
      (JSON.parse(text) as JetStreamInfo).account_details?.flatMap((one) => one.stream_detail ?? []) ?? [];
    const leaders = streams
      .map(({ cluster }) => /^n(\d)$/.exec(cluster?.leader ?? '')?.[1])
      .filter((n) => n !== undefined);
    if (leaders.length === 0) continue;
    const led = (n: string) => leaders.filter((other) => other === n).length;
    return Number(leaders.reduce((a, b) => (led(b) > led(a) ? b : a)));
  }
  throw new Error('no server leads a stream');
}

/** The part of what the monitoring endpoint `/jsz` tells that we read. */
interface JetStreamInfo {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly cluster?: { readonly leader?: string } }[];
  }[];
}

function ask({ address }: Machine, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: address, port: PORTS.monitor, path, timeout: 1000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.once('end', () => resolve(response.statusCode === 200 ? text : undefined));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(undefined));
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}
