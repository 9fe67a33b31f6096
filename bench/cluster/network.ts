import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Bytes that went over a machine's only line. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** A network namespace with one line to the others. */
export interface Machine {
  readonly address: string;
  /** What a command line begins with to run on it. */
  readonly prefix: readonly string[];
  traffic(): Traffic;
  /** Pulls the plug: connections go silent, nothing is told. */
  cut(): void;
  mend(): void;
}

/** Machines on one switch, on this one: namespaces, a bridge, and lines of a given rate. Needs root. */
export interface TestNetwork {
  /** This machine's own address on the switch. */
  readonly address: string;
  /** @param rate of its line, each way, as tc takes it: `100mbit`; unlimited without */
  add(rate?: string): Machine;
  remove(): void;
}

/** Why networks cannot be made here, if so. */
export function networkMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    ip('netns', 'list');
    return undefined;
  } catch (error) {
    return `ip netns does not work here: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

export function createNetwork(): TestNetwork {
  const id = (process.pid % 200) + 1;
  const bridge = `mfb${id}`;
  const address = `10.77.${id}.1`;
  const names: string[] = [];
  ip('link', 'add', bridge, 'type', 'bridge');
  ip('addr', 'add', `${address}/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  const add = (rate?: string): Machine => {
    const number = names.length + 10;
    const [name, outside] = [`mf${id}-${number}`, `mf${id}v${number}`];
    const own = `10.77.${id}.${number}`;
    ip('netns', 'add', name);
    names.push(name);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', outside, 'master', bridge, 'up');
    ip('-n', name, 'addr', 'add', `${own}/24`, 'dev', 'eth0');
    for (const device of ['eth0', 'lo']) ip('-n', name, 'link', 'set', device, 'up');
    if (rate !== undefined) {
      const shape = ['root', 'tbf', 'rate', rate, 'burst', '128kb', 'latency', '50ms'];
      run('tc', 'qdisc', 'add', 'dev', outside, ...shape);
      run('tc', '-n', name, 'qdisc', 'add', 'dev', 'eth0', ...shape);
    }
    // Counted at the switch's end, where sent and received have changed places.
    const count = (what: string) => Number(readFileSync(`/sys/class/net/${outside}/statistics/${what}_bytes`, 'utf8'));
    return {
      address: own,
      prefix: ['ip', 'netns', 'exec', name],
      traffic: () => ({ sent: count('rx'), received: count('tx') }),
      cut: () => ip('link', 'set', outside, 'down'),
      mend: () => ip('link', 'set', outside, 'up'),
    };
  };
  return {
    address,
    add,
    remove: () => {
      for (const name of names) ip('netns', 'del', name);
      ip('link', 'del', bridge);
    },
  };
}

function ip(...args: string[]): void {
  run('ip', ...args);
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
