import { text as readAll } from 'node:stream/consumers';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import { printableLine } from '../../base/printable.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { joinGrid } from '../../linpack/grid/guest.js';
import { type GridEvent, hostGrid } from '../../linpack/grid/host.js';
import { Layout } from '../../linpack/grid/layout.js';
import { RESIDUAL_BOUND } from '../../linpack/index.js';
import { payingBandwidth, predictLinpack } from '../../planner/catalogue/top500/index.js';
import { openDoor } from '../../transport/trust/door.js';
import { decodeInvitation } from '../../transport/trust/invitation.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { duration, grouped, table } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { LINPACK_FLAGS } from './linpack-options.js';

const GRID = /^([1-9]\d{0,2})x([1-9]\d{0,2})$/;
const MOST_MACHINES = 256;

/** Has machines that join solve one system together, and tells how fast they were. */
export async function linpackOnMachines(
  flags: OptionsOf<typeof LINPACK_FLAGS> & { readonly machines: string },
  n: number,
  { output, closed }: Context,
): Promise<number> {
  const { nb = LINPACK_FLAGS.nb.default, patience = LINPACK_FLAGS.patience.default, host, port, machines } = flags;
  const [, rows, columns] = GRID.exec(machines)?.map(Number) ?? [];
  if (rows === undefined || columns === undefined || rows * columns > MOST_MACHINES) {
    throw new UsageError(
      `--machines: expected rows and columns of a grid as 2x3, ${MOST_MACHINES} machines at most, got ${JSON.stringify(machines.slice(0, 40))}.`,
    );
  }
  if (nb > n) throw new UsageError(`--nb: expected at most --n (${n}), got ${nb}.`);
  const layout = new Layout(n, nb, rows, columns);
  const line = new ProgressLine(output);
  const controller = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => controller.abort());
  const signal = AbortSignal.any([controller.signal, closed]);
  const show = (event: GridEvent) => {
    if (event.type === 'invitation') {
      output.event(event);
      output.text(
        `On each of ${layout.size} machines, this one among them if it is to compute:\n\n  meanfield linpack --join ${event.invitation}\n\n`,
      );
      line.show(`waiting for ${layout.size} machines`, true);
    } else if (event.type === 'joined') {
      output.event(event);
      line.note(`machine ${event.rank}: ${event.host}`);
    } else if (event.type === 'refused') {
      output.event(event);
      line.note(`refused ${event.who}: ${printableLine(event.reason)}`);
    } else {
      output.event(event);
      line.show(`n ${grouped(n)}, ${(100 * event.share).toFixed(0)} % factored`);
    }
  };
  try {
    const result = await hostGrid({
      ...{ layout, patience, onEvent: show, signal },
      ...(host && { hosts: host }),
      ...(port !== undefined && { port }),
    });
    const { seconds, gflops, residual, productGflops } = result;
    const passed = residual < RESIDUAL_BOUND;
    const alone = predictLinpack({ n, precision: 'fp64', products: (1e9 * productGflops) / layout.size });
    const pays = payingBandwidth({ n, rows, columns, alone: alone.seconds });
    output.event({
      type: 'result',
      benchmark: 'hpl',
      ...{ n, nb, rows, columns, seconds, gflops, residual, passed },
      product_gflops: productGflops,
      share_of_product: gflops / productGflops,
      planned_alone_gflops: alone.rate / 1e9,
      paying_bandwidth: pays,
    });
    line.end();
    output.text(
      `\n${table(
        [
          ['', 'GFLOP/s', 'of products', `residual (< ${RESIDUAL_BOUND})`, 'time'],
          [
            `HPL, n ${grouped(n)}, ${rows} × ${columns} machines`,
            gflops.toFixed(1),
            `${((100 * gflops) / productGflops).toFixed(0)} % of ${productGflops.toFixed(1)}`,
            `${residual.toPrecision(3)} ${passed ? 'passes' : 'FAILS'}`,
            duration(seconds),
          ],
        ],
        [2],
      )}\nOne of these machines alone is planned at ${(alone.rate / 1e9).toFixed(1)} GFLOP/s; ${
        pays === null
          ? 'one machine cannot be beaten by itself'
          : `all together pay from a line of ${(pays / 1e6).toFixed(1)} MB/s for each on`
      }.\n`,
    );
    return passed ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    line.end();
    interruption.release();
  }
}

/** Takes part in a LINPACK that another machine coordinates. */
export async function joinLinpack(given: string, { output, closed }: Context): Promise<number> {
  // The process list shows the command line to all users of this machine, and the invitation is a secret.
  process.title = 'meanfield linpack';
  const invitation = decodeInvitation(given === '-' ? await readAll(process.stdin) : given);
  const line = new ProgressLine(output);
  const controller = new AbortController();
  const interruption = onInterrupt(output, 'leaving, which ends it for all', () => controller.abort());
  const signal = AbortSignal.any([controller.signal, closed]);
  const door = await openDoor(invitation);
  try {
    await joinGrid({
      door,
      engine: new NodeEngine(),
      signal,
      onEvent: (event) => {
        if (event.type === 'joined') {
          const { rank, layout } = event;
          output.event({
            type: 'joined',
            rank,
            n: layout.n,
            nb: layout.nb,
            rows: layout.rows,
            columns: layout.columns,
          });
          line.note(`machine ${rank} of ${layout.size}, n ${grouped(layout.n)}`);
        } else if (event.type === 'refused') {
          output.event(event);
          line.note(`refused: ${printableLine(event.reason)}`);
        } else line.show(`${(100 * event.share).toFixed(0)} % factored`);
      },
    });
    output.event({ type: 'result', solved: true });
    return 0;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    throw error instanceof MeanfieldError ? error : new MeanfieldError(String(error), { cause: error });
  } finally {
    line.end();
    interruption.release();
    await door.close();
  }
}
