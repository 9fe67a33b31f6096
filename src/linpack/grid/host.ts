import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { openNatsTransport } from '../../transport/nats/transport.js';
import type { RunKey } from '../../transport/signed.js';
import type { Gate, Transport } from '../../transport/transport.js';
import { startOwnServer } from '../../transport/trust/own-server.js';
import { operations } from '../measure.js';
import { type HostEvent, type Hosting, newHosting, tickHost } from './hosting.js';
import type { Layout } from './layout.js';
import { gridBytes } from './local-matrix.js';
import { decodeGrid, encodeGrid, GRID_PROTOCOL, type GridUp, gridRequest, gridUp } from './protocol.js';

/** What {@link hostGrid} is asked. */
export interface GridOptions {
  readonly layout: Layout;
  /** Seconds without a sign of life after which a machine counts as dead. */
  readonly patience: number;
  /** Names or addresses by which other machines reach this one. */
  readonly hosts?: readonly string[];
  readonly port?: number;
  /** Hears the line that lets machines in, who joins, and what is refused. */
  readonly onEvent: (event: GridEvent) => void;
  readonly signal?: AbortSignal;
}

export type GridEvent =
  | { readonly type: 'invitation'; readonly invitation: string }
  | { readonly type: 'joined'; readonly rank: number; readonly host: string }
  | { readonly type: 'progress'; readonly share: number }
  | { readonly type: 'refused'; readonly who: string; readonly reason: string };

/** HPL's result on a grid. */
export interface GridResult {
  readonly seconds: number;
  readonly gflops: number;
  readonly residual: number;
  /** Of all machines, measured by each just before. */
  readonly productGflops: number;
}

/** What the coordinating machine works with. */
export interface GridServer {
  readonly transport: Transport;
  readonly gate: Gate;
  readonly key: RunKey;
}

/**
 * Has other machines solve HPL's system together: starts a NATS server, hands out an invitation, passes letters on. It
 * computes nothing itself; a machine that is to do both joins as well.
 *
 * @throws MeanfieldError when a machine fails or falls silent, or the server cannot be started
 */
export async function hostGrid(options: GridOptions): Promise<GridResult> {
  const { layout, hosts, port, onEvent } = options;
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-linpack-'));
  const run = `linpack-${process.pid}`;
  try {
    const server = await startOwnServer({
      ...{ run, runFolder: folder, validHours: 24 },
      ...(hosts && { hosts }),
      ...(port !== undefined && { port }),
    });
    try {
      const bytes = layout.size * roomOf(layout) + 2 ** 26;
      const transport = await openNatsTransport({
        ...server.address,
        ...{ run, name: 'coordinator', inbox: server.inbox, create: { replicas: 1, maxBytes: bytes } },
      });
      try {
        return await coordinate({ transport, gate: server.gate, key: server.key }, options, () =>
          onEvent({ type: 'invitation', invitation: server.invitation }),
        );
      } finally {
        await transport.close();
      }
    } finally {
      await server.stop(true);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes that a machine may have stored: letters of as many steps as one can be ahead of another. */
function roomOf({ n, nb, rows, columns }: Layout): number {
  return 8 * n * nb * 4 * (rows + columns + 4) + 2 ** 24;
}

/** Leads a grid over an open transport. */
export async function coordinate(
  { transport, gate, key }: GridServer,
  { layout, patience, onEvent, signal }: GridOptions,
  onOpen: () => void = () => {},
): Promise<GridResult> {
  let hosting: Hosting = newHosting(layout.size, patience);
  const ending: (() => void)[] = [];
  try {
    return await new Promise<GridResult>((resolve, reject) => {
      const fail = (error: unknown) => reject(error instanceof Error ? error : new Error(String(error)));
      const take = (event: HostEvent) => {
        const { state, effects } = tickHost(hosting, event, performance.now() / 1000);
        hosting = state;
        for (const effect of effects) {
          switch (effect.type) {
            case 'say':
              for (const rank of effect.to) {
                transport.control.send(
                  { to: 'down', worker: `m${rank}` },
                  key.signed('down', encodeGrid(effect.message)),
                );
              }
              break;
            case 'forget':
              for (let step = effect.from; step < effect.steps; step++) {
                for (let rank = 0; rank < layout.size; rank++) {
                  void transport.blobs.delete(`m${rank}/${step}`).catch(fail);
                }
              }
              onEvent({ type: 'progress', share: 1 - (1 - layout.start(effect.steps) / layout.n) ** 3 });
              break;
            case 'refused':
              onEvent({ type: 'refused', who: `machine ${effect.rank}`, reason: effect.reason });
              break;
            case 'failed':
              reject(new MeanfieldError(`${effect.reason}.`));
              break;
            case 'finished':
              resolve(resultOf(layout, effect.results));
          }
        }
      };
      const abort = () => {
        const reason = 'it was interrupted where it was started';
        for (const rank of hosting.machines.keys())
          transport.control.send(
            { to: 'down', worker: `m${rank}` },
            key.signed('down', encodeGrid({ type: 'end', reason })),
          );
        reject(signal!.reason);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      const timer = setInterval(() => take({ type: 'time' }), 500);
      let names = 0;
      const answer = async (bytes: Uint8Array, by?: string): Promise<object> => {
        const refused = (code: string, reason: string) => {
          onEvent({ type: 'refused', who: 'a machine at the door', reason });
          return { accepted: false, code, reason };
        };
        try {
          const { key: door, host, memory } = decodeGrid(bytes, gridRequest, 'a request to take part in LINPACK');
          if (names === layout.size) return refused('full', `the grid has its ${layout.size} machines`);
          const needed = gridBytes(layout);
          if (needed > memory) {
            const gigabytes = (value: number) => `${(value / 1e9).toFixed(2)} GB`;
            return refused(
              'not-enough-memory',
              `a machine's part of n = ${layout.n} needs ${gigabytes(needed)}, it has ${gigabytes(memory)} free`,
            );
          }
          const rank = names++;
          const pass = await gate.admit([`m${rank}`], door, by);
          await transport.quotas.grant(`m${rank}`, roomOf(layout));
          take({ type: 'joined', host });
          onEvent({ type: 'joined', rank, host });
          const { n, nb, rows, columns } = layout;
          return { accepted: true, grid: GRID_PROTOCOL, pass, worker: `m${rank}`, rank, n, nb, rows, columns };
        } catch (error) {
          return refused('malformed', messageOf(error));
        }
      };
      // One after another: ranks are dealt in the order in which machines are let in.
      let before: Promise<unknown> = Promise.resolve();
      ending.push(
        () => clearInterval(timer),
        () => signal?.removeEventListener('abort', abort),
        transport.control.answer('join', async (bytes, by) => {
          const next = before.then(() => answer(bytes, by));
          before = next;
          return key.signed('join', encodeGrid(await next), bytes);
        }),
        transport.control.listen({ to: 'up', worker: '*' }, (bytes, from) => {
          const worker = from.to === 'up' ? from.worker : '';
          const rank = /^m(\d{1,3})$/.exec(worker)?.[1];
          try {
            const message: GridUp = decodeGrid(bytes, gridUp, 'a word of a machine');
            take({ type: 'up', rank: Number(rank ?? -1), message });
          } catch (error) {
            onEvent({ type: 'refused', who: `machine ${rank ?? '?'}`, reason: messageOf(error) });
          }
        }),
      );
      onOpen();
    });
  } finally {
    for (const end of ending) end();
  }
}

function resultOf({ n }: Layout, results: readonly Extract<GridUp, { type: 'result' }>[]): GridResult {
  const seconds = Math.max(...results.map(({ milliseconds }) => milliseconds)) / 1000;
  return {
    seconds,
    gflops: operations(n) / seconds / 1e9,
    residual: results[0]!.residual!,
    productGflops: results.reduce((sum, { productGflops }) => sum + productGflops, 0),
  };
}
