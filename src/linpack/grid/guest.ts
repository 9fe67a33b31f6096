import { hostname } from 'node:os';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { availableMemory } from '../../base/files/available-memory.js';
import type { Engine } from '../../engine/engine.js';
import { RunVerifier } from '../../transport/signed.js';
import type { Door, Transport } from '../../transport/transport.js';
import { Kernels } from '../kernels.js';
import { productSpeed } from '../product-speed.js';
import { Layout } from './layout.js';
import { Link } from './link.js';
import {
  bytesOf,
  type Content,
  decodeGrid,
  encodeGrid,
  GRID_PROTOCOL,
  type GridDown,
  gridAnswer,
  gridDown,
  INLINE_BYTES,
  valuesOf,
} from './protocol.js';
import { GridSolver } from './solve-on-grid.js';

/** Milliseconds between signs of life, and for which an answer at the door is waited for. */
const BEAT = 1000;
const ANSWER_WITHIN = 20_000;

export type GuestEvent =
  | { readonly type: 'joined'; readonly rank: number; readonly layout: Layout }
  | { readonly type: 'progress'; readonly share: number }
  | { readonly type: 'refused'; readonly reason: string };

/** What {@link joinGrid} is asked. */
export interface GuestOptions {
  readonly door: Door;
  readonly engine: Engine;
  readonly onEvent: (event: GuestEvent) => void;
  /** Bytes that are free here. */
  readonly memory?: number;
  /** Leaves, which ends the run for all. */
  readonly signal?: AbortSignal;
}

/**
 * Takes part in LINPACK as one machine of a grid, on one thread, until it is solved.
 *
 * @throws MeanfieldError when the grid does not take this machine, another fails, or the connection is lost
 */
export async function joinGrid({
  door,
  engine,
  onEvent,
  memory = availableMemory(),
  signal,
}: GuestOptions): Promise<void> {
  const verifier = new RunVerifier(door.coordinator);
  const request = encodeGrid({
    grid: GRID_PROTOCOL,
    key: door.key,
    host: hostname().slice(0, 200),
    memory: Math.floor(memory),
  });
  const answer = decodeGrid(
    verifier.opened('join', await door.ask('join', request, ANSWER_WITHIN), request),
    gridAnswer,
    'an answer of a LINPACK that waits for machines',
  );
  if (!answer.accepted) throw new MeanfieldError(`This machine is not taken: ${answer.reason}.`);
  const { rank, n, nb, rows, columns, worker } = answer;
  const layout = new Layout(n, nb, rows, columns);
  onEvent({ type: 'joined', rank, layout });
  const transport = await door.enter([worker], answer.pass);
  try {
    await takePart(transport, verifier, engine, { layout, rank, worker, onEvent, signal });
  } finally {
    await transport.close();
  }
}

interface Part {
  readonly layout: Layout;
  readonly rank: number;
  readonly worker: string;
  readonly onEvent: (event: GuestEvent) => void;
  readonly signal: AbortSignal | undefined;
}

async function takePart(transport: Transport, verifier: RunVerifier, engine: Engine, part: Part): Promise<void> {
  const { layout, rank, worker, onEvent, signal } = part;
  const say = (message: object) => transport.control.send({ to: 'up', worker }, encodeGrid(message));
  const link = new Link(layout, rank, {
    send: async (to, { kind, step }, values) => {
      const bytes = bytesOf(values);
      const content: Content =
        bytes.length <= INLINE_BYTES
          ? { inline: Buffer.from(bytes).toString('base64') }
          : { stored: await transport.blobs.put(`${worker}/${step}/${kind}-${to[0]}`, bytes) };
      say({ type: 'letter', to, kind, step, content });
    },
  });
  let begin: () => void = () => {};
  let end: (error?: MeanfieldError) => void = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => {
      if (error) link.fail(error);
      if (error) reject(error);
      else resolve();
    };
  });
  // Whoever waits for it hears of it; before that nobody does.
  ended.catch(() => {});
  const hear = async (message: GridDown): Promise<void> => {
    if (message.type === 'begin') return begin();
    if (message.type === 'end')
      return end(message.reason === null ? undefined : new MeanfieldError(`${message.reason}.`));
    const { content } = message;
    const bytes = 'inline' in content ? Buffer.from(content.inline, 'base64') : undefined;
    const length = (bytes ? bytes.length : 'stored' in content ? content.stored.bytes : 0) / 8;
    const reason = link.objection(message, length);
    if (reason !== undefined) return onEvent({ type: 'refused', reason });
    link.deliver(
      message,
      valuesOf(bytes ?? (await transport.blobs.get((content as Extract<Content, { stored: unknown }>).stored))),
    );
  };
  let state = { begun: false };
  const stops = [
    transport.control.listen({ to: 'down', worker }, (bytes) => {
      try {
        const message = decodeGrid(verifier.opened('down', bytes), gridDown, 'a word of the machine that coordinates');
        hear(message).catch((error: unknown) =>
          end(new MeanfieldError(`A letter could not be had: ${messageOf(error)}`)),
        );
      } catch (error) {
        onEvent({ type: 'refused', reason: messageOf(error) });
      }
    }),
    transport.onStatus(({ connected, reason }) => {
      if (!connected) end(new MeanfieldError(`The connection is lost, and with it what others sent: ${reason}`));
    }),
  ];
  const beat = setInterval(() => {
    try {
      say({ type: 'beat', begun: state.begun });
    } catch (error) {
      end(new MeanfieldError(messageOf(error)));
    }
  }, BEAT);
  const leave = () => end(new MeanfieldError('It was told to leave.'));
  if (signal?.aborted) leave();
  signal?.addEventListener('abort', leave, { once: true });
  const kernels = new Kernels(engine, 'float64');
  try {
    await Promise.race([begun, ended]);
    state = { begun: true };
    const productGflops = await productSpeed(engine, 'float64');
    const solver = new GridSolver(layout, link, kernels, undefined, (share, step) => {
      say({ type: 'done', step });
      onEvent({ type: 'progress', share });
    });
    const { milliseconds, residual } = await solver.solve();
    say({ type: 'result', milliseconds, residual: residual ?? null, productGflops });
    await ended;
  } catch (error) {
    try {
      say({ type: 'failed', reason: messageOf(error).slice(0, 1000) });
    } catch {
      // Where it cannot be said, silence says it.
    }
    throw error;
  } finally {
    clearInterval(beat);
    signal?.removeEventListener('abort', leave);
    for (const stop of stops) stop();
    await kernels.dispose();
  }
}
