import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoundEvent } from '../../src/cluster/index.js';
import { type NatsServers, startNats } from './nats-servers.js';
import { createNetwork, type Machine, type Traffic } from './network.js';
import { type Line, type Program, startProgram } from './program.js';
import { type DelayProxy, startProxy } from './proxy.js';

/** A run between machines, as a bench starts it. */
export interface ClusterPlan {
  /** Corpus and options of `meanfield cluster start`, beside `--nats`, `--run` and the credential. */
  readonly start: readonly string[];
  readonly workers: number;
  /** Options of `meanfield join`; one thread unless given. */
  readonly join?: readonly string[];
  /** Of every machine's line, each way: `100mbit`. */
  readonly rate?: string;
  /** Of the workers' lines alone, where the coordinator and the server stand on better ones. */
  readonly workerRate?: string;
  /** Milliseconds each way between everybody and the NATS server. */
  readonly delay?: number;
  readonly natsServers?: 1 | 3;
  /** The built command line; ours unless given. */
  readonly build?: string | undefined;
}

/** A committed round, as the bench saw it. */
export interface Commit {
  /** Milliseconds of this process. */
  readonly at: number;
  readonly event: RoundEvent;
  /** Of all workers' lines, summed, since the start. */
  readonly traffic: Traffic;
}

/** A run that goes on in processes of its own. */
export interface LiveCluster {
  readonly nats: NatsServers;
  readonly proxy: DelayProxy | undefined;
  readonly machines: readonly Machine[];
  /** The workers' processes that run now, by machine. */
  readonly workers: readonly Program[];
  /** All that ever ran. */
  readonly everyWorker: readonly Program[];
  readonly commits: readonly Commit[];
  /** Resolves when there is one; rejects when the coordinator fails before. */
  readonly firstCommit: Promise<void>;
  /** Lines of all the coordinator's lives. */
  readonly lines: readonly Line[];
  restartWorker(i: number): void;
  restartCoordinator(): void;
  killCoordinator(): Promise<void>;
  /** The run's result, once a coordinator has ended with one. */
  readonly result: Promise<Line>;
  close(): Promise<void>;
}

export async function startCluster(plan: ClusterPlan): Promise<LiveCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'meanfield-bench-cluster-'));
  const network = createNetwork();
  const servers = Array.from({ length: plan.natsServers ?? 1 }, () => network.add(plan.rate));
  const host = network.add(plan.rate);
  const machines = Array.from({ length: plan.workers }, () => network.add(plan.workerRate ?? plan.rate));
  const nats = await startNats(servers);
  const proxy = plan.delay
    ? await startProxy({ host: servers[0]!.address, port: 4222 }, plan.delay, network.address)
    : undefined;
  const urls = proxy ? [`nats://${network.address}:${proxy.port}`] : nats.urls;

  const lines: Line[] = [];
  const commits: Commit[] = [];
  const everyWorker: Program[] = [];
  const workers: Program[] = [];
  let finish: (line: Line) => void;
  let fail: (error: Error) => void;
  const result = new Promise<Line>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Whoever waits for it hears of it; until then it is no unhandled failure.
  result.catch(() => {});

  let begin: () => void;
  const first = new Promise<void>((resolve) => {
    begin = resolve;
  });

  const onLine = (line: Line) => {
    lines.push(line);
    if (line.type === 'result') finish(line);
    if (line.type !== 'round') return;
    const all = machines.map((machine) => machine.traffic());
    const sum = (key: keyof Traffic) => all.reduce((total, traffic) => total + traffic[key], 0);
    const traffic = { sent: sum('sent'), received: sum('received') };
    commits.push({ at: line.at, event: line as unknown as RoundEvent, traffic });
    begin();
  };
  const startCoordinator = (args: readonly string[]) => {
    const replicas = ['--nats-replicas', String(plan.natsServers ?? 1)];
    const where = [
      ...replicas,
      ...urls.flatMap((url) => ['--nats', url]),
      '--shared-credential',
      '--run',
      join(folder, 'run'),
    ];
    const program = startProgram(['cluster', 'start', ...args, ...where], host, plan.build);
    program.onLine(onLine);
    program.done.then((code) => {
      if (code !== null && code !== 0) fail(new Error(`the coordinator ended with ${code}: ${program.said()}`));
    }, fail);
    return program;
  };
  let coordinator = startCoordinator(plan.start);
  const invitation = String((await coordinator.line(({ invitation }) => typeof invitation === 'string')).invitation);
  const startWorker = (i: number) => {
    const worker = startProgram(['join', invitation, ...(plan.join ?? ['--threads', '1'])], machines[i], plan.build);
    workers[i] = worker;
    everyWorker.push(worker);
  };
  for (const i of machines.keys()) startWorker(i);

  return {
    nats,
    proxy,
    machines,
    workers,
    everyWorker,
    commits,
    firstCommit: Promise.race([first, result.then(() => {})]),
    lines,
    result,
    restartWorker: startWorker,
    killCoordinator: async () => {
      coordinator.kill('SIGKILL');
      await coordinator.done;
    },
    restartCoordinator: () => {
      coordinator = startCoordinator(['--resume']);
    },
    close: async () => {
      const programs = [coordinator, ...everyWorker];
      for (const program of programs) program.kill('SIGKILL');
      await Promise.allSettled(programs.map(({ done }) => done));
      await proxy?.close();
      await nats.remove();
      network.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a plan to its end, does something meanwhile, and cleans up in any case: on Ctrl-C, too. */
export async function withCluster<T>(plan: ClusterPlan, meanwhile: (cluster: LiveCluster) => Promise<T>): Promise<T> {
  const cluster = await startCluster(plan);
  const stop = () => void cluster.close().finally(() => process.exit(130));
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    return await meanwhile(cluster);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    await cluster.close();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
