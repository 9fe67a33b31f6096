import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A line that takes its time and breaks: netem is missing from some kernels. */
export interface DelayProxy {
  readonly port: number;
  /** Breaks every connection; new ones are let through. @returns how many there were */
  breakAll(): number;
  close(): Promise<void>;
}

/** How much may be on the way at once: a line of a gigabit and 100 ms holds 12 MB. */
const ON_THE_WAY = 16 * 2 ** 20;

/** Forwards TCP connections, every byte `delay` milliseconds late each way, in order. */
export async function startProxy(
  target: { readonly host: string; readonly port: number },
  delay: number,
  listen: string,
): Promise<DelayProxy> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ ...target, noDelay: true });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      socket.once('error', () => socket.destroy());
    }
    forward(near, far, delay);
    forward(far, near, delay);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, listen, resolve);
  });
  const breakAll = () => {
    const connections = open.size / 2;
    for (const socket of open) socket.destroy();
    return connections;
  };
  return {
    port: (server.address() as AddressInfo).port,
    breakAll,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        breakAll();
      }),
  };
}

function forward(from: Socket, to: Socket, delay: number): void {
  let waiting = 0;
  from.on('data', (chunk) => {
    waiting += chunk.length;
    if (waiting > ON_THE_WAY) from.pause();
    // Timers of one delay fire in the order in which they were set.
    setTimeout(() => {
      const arrived = () => {
        waiting -= chunk.length;
        if (waiting <= ON_THE_WAY / 2) from.resume();
      };
      if (to.destroyed) return;
      to.write(chunk, arrived);
    }, delay);
  });
  from.once('end', () => setTimeout(() => to.end(), delay));
  from.once('close', () => setTimeout(() => to.destroy(), delay));
}
