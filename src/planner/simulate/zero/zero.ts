import { UsageError } from '../../../base/errors.js';
import { Random } from '../../../base/random.js';
import { demandsOf, isCount, isNotNegative, isPositive } from '../demand.js';
import { TimedEvents } from '../event-queue.js';
import type { Simulation, TimelineEvent, Track } from '../timeline.js';

/** A step of ZeRO-3 (arXiv 1910.02054): parameters live in pieces and are gathered layer by layer. Times in seconds. */
export interface ZeroSpec {
  readonly layers: number;
  /** Micro-batches of a step, one after another; each gathers all layers twice and reduces their gradients. */
  readonly microBatches: number;
  /** Computing of one layer for one micro-batch. */
  readonly forward: number;
  readonly backward: number;
  /** All-gather of one layer's parameters, and reduce-scatter of its gradients. */
  readonly gather: number;
  readonly reduce: number;
  /** How many layers ahead of the one that computes are gathered; 0: none, each waits for its own. */
  readonly prefetch: number;
  /** Whether computing goes on while gradients are reduced. true */
  readonly overlapReductions?: boolean;
  /** Optimiser, after all else. 0 */
  readonly afterwards?: number;
  /** Devices shown; all share every gather and reduction. 1 */
  readonly devices?: number;
  /** Standard deviation of a layer's log computing time on a device. 0 */
  readonly jitter?: number;
  readonly seed?: number;
}

export interface ZeroSummary {
  readonly seconds: number;
  /** Mean over the devices. */
  readonly compute: number;
  /** Of the one network. */
  readonly communication: number;
  /** Seconds before the optimiser in which a device does not compute but waits; mean over the devices. */
  readonly exposed: number;
  /** Layers gathered and not yet used, at most: the memory that prefetching costs. */
  readonly mostGathered: number;
  /** `null` where no closed form applies (jitter). */
  readonly closedForm: number | null;
}

const MOST_LAYERS = 2_000_000;

/**
 * A step of ZeRO-3 on a virtual clock. Each device computes layer after layer; one network carries gathers and
 * reductions, one at a time, in the order in which they were asked for; a collective starts when all devices have.
 *
 * @throws UsageError when the spec is out of range or absurdly large
 */
export function simulateZero(spec: ZeroSpec): Simulation<ZeroSummary> {
  checkSpec(spec);
  const { devices = 1 } = spec;
  const tracks: Track[] = Array.from({ length: devices }, (_, i) => [
    { process: `device ${i}`, thread: 'compute' },
    { process: `device ${i}`, thread: 'network' },
  ]).flat();
  const visits = 2 * spec.layers * spec.microBatches;
  return { tracks, mostEvents: devices * (3 * visits + 1), play: () => play(spec) };
}

/**
 * With prefetching g + M·L·max(f, g) + (M·L − 1)·max(b, g + r) + b + r: in the forward pass a layer's gather runs beside
 * the layer before it, in the backward pass its reduction too; what is gathered far ahead can only lower this. Without,
 * every gather is waited for; where reductions are not overlapped, every one of those too.
 */
function zeroClosedForm(spec: ZeroSpec): number | null {
  const { layers, microBatches, forward, backward, gather, reduce, prefetch, afterwards = 0, jitter = 0 } = spec;
  const { overlapReductions = true } = spec;
  if (jitter > 0) return null;
  const visits = microBatches * layers;
  const ahead = prefetch > 0;
  const forwards = ahead ? gather + visits * Math.max(forward, gather) : visits * (gather + forward) + gather;
  let backwards: number;
  if (!overlapReductions) backwards = (ahead ? Math.max(backward, gather) : gather + backward) + reduce;
  else if (ahead) backwards = Math.max(backward, gather + reduce);
  // A gather asked for when a layer ends goes before that layer's reduction, which the next gather may wait for.
  else backwards = gather + Math.max(backward, reduce);
  return forwards + (visits - 1) * backwards + backward + reduce + afterwards;
}

interface Collective {
  readonly kind: 'gather' | 'reduce';
  readonly visit: number;
  asked: number;
}

function* play(spec: ZeroSpec): Generator<TimelineEvent, ZeroSummary> {
  const { layers, microBatches, gather, reduce, prefetch, afterwards = 0, devices = 1, jitter = 0, seed = 1 } = spec;
  const { overlapReductions = true } = spec;
  const queue = new TimedEvents();
  const random = new Random(seed, 'zero');
  const happened: TimelineEvent[] = [];
  const visits = 2 * layers * microBatches;
  const isForward = (visit: number) => visit % (2 * layers) < layers;
  const layerOf = (visit: number) => {
    const at = visit % (2 * layers);
    return at < layers ? at : 2 * layers - 1 - at;
  };

  const collectives = new Map<string, Collective>();
  const waiting: Collective[] = [];
  let networkBusy = false;
  let communication = 0;
  let gathered = 0;
  let held = 0;
  let mostGathered = 0;
  const at = Array.from({ length: devices }, () => ({
    visit: 0,
    computing: false,
    reducing: false,
    compute: 0,
    asked: 0,
  }));

  const ask = (kind: Collective['kind'], visit: number): void => {
    const name = `${kind} ${visit}`;
    const collective = collectives.get(name) ?? { kind, visit, asked: 0 };
    collectives.set(name, collective);
    if (++collective.asked < devices) return;
    collectives.delete(name);
    waiting.push(collective);
    transmit();
  };

  const transmit = (): void => {
    const collective = networkBusy ? undefined : waiting.shift();
    if (!collective) return;
    networkBusy = true;
    const start = queue.now;
    queue.after(collective.kind === 'gather' ? gather : reduce, () => {
      networkBusy = false;
      communication += queue.now - start;
      const { kind, visit } = collective;
      for (let device = 0; device < devices; device++)
        happened.push({
          type: 'span',
          track: 2 * device + 1,
          name: `${kind} ${layerOf(visit)}`,
          category: kind,
          start,
          end: queue.now,
        });
      if (kind === 'gather') {
        gathered++;
        mostGathered = Math.max(mostGathered, ++held);
        for (let device = 0; device < devices; device++) compute(device, queue.now);
      } else if (!overlapReductions)
        for (let device = 0; device < devices; device++) {
          at[device]!.reducing = false;
          askAhead(device);
          compute(device, null);
        }
      transmit();
    });
  };

  /** Asks for the gathers that the device may have on the way by now. */
  const askAhead = (device: number): void => {
    const state = at[device]!;
    const until = Math.min(visits, state.visit + (state.computing ? prefetch + 1 : Math.max(1, prefetch)));
    while (state.asked < until) ask('gather', state.asked++);
  };

  const compute = (device: number, arrived: number | null): void => {
    const state = at[device]!;
    if (state.computing || state.reducing || state.visit >= gathered || state.visit === visits) return;
    const { visit } = state;
    state.computing = true;
    const start = queue.now;
    const forward = isForward(visit);
    const usual = forward ? spec.forward : spec.backward;
    if (arrived !== null) {
      const to = { track: 2 * device, at: start };
      happened.push({ type: 'flow', name: 'parameters', from: { track: 2 * device + 1, at: arrived }, to });
    }
    queue.after(jitter > 0 ? usual * Math.exp(jitter * random.normal()) : usual, () => {
      state.computing = false;
      state.visit++;
      state.compute += queue.now - start;
      if (device === 0) held--;
      const kind = forward ? 'forward' : 'backward';
      const name = `${kind} ${layerOf(visit)}`;
      happened.push({ type: 'span', track: 2 * device, name, category: kind, start, end: queue.now });
      state.reducing = !forward && !overlapReductions;
      if (!state.reducing) askAhead(device);
      if (!forward) ask('reduce', visit);
      compute(device, null);
    });
    askAhead(device);
  };

  for (let device = 0; device < devices; device++) askAhead(device);
  do {
    yield* happened;
    happened.length = 0;
  } while (queue.step());
  if (at.some(({ visit }) => visit < visits)) throw new Error('the step came to a standstill');
  const end = queue.now;
  if (afterwards > 0)
    for (let device = 0; device < devices; device++)
      yield {
        type: 'span',
        track: 2 * device,
        name: 'optimizer',
        category: 'afterwards',
        start: end,
        end: end + afterwards,
      };
  const computed = at.reduce((sum, state) => sum + state.compute, 0) / devices;
  return {
    seconds: end + afterwards,
    compute: computed,
    communication,
    exposed: end - computed,
    mostGathered,
    closedForm: zeroClosedForm(spec),
  };
}

function checkSpec(spec: ZeroSpec): void {
  const demand = demandsOf('A ZeRO step');
  const { layers, microBatches, prefetch, devices = 1, jitter = 0 } = spec;
  for (const [name, value] of Object.entries({ layers, 'micro-batches': microBatches, devices }))
    demand(`number of ${name}`, isCount(value), 'a whole number from 1', value);
  demand('prefetch', Number.isSafeInteger(prefetch) && prefetch >= 0, 'a whole number of layers from 0', prefetch);
  const { forward, backward, gather, reduce, afterwards = 0 } = spec;
  for (const [name, value] of Object.entries({ forward, backward }))
    demand(name, isPositive(value), 'seconds above 0', value);
  for (const [name, value] of Object.entries({ gather, reduce, 'time afterwards': afterwards }))
    demand(name, isNotNegative(value), 'seconds from 0', value);
  demand('jitter', jitter >= 0 && jitter <= 3, 'from 0 to 3', jitter);
  const visits = layers * microBatches * devices;
  if (visits > MOST_LAYERS)
    throw new UsageError(
      `This step visits layers ${visits} times on ${devices} devices; at most ${MOST_LAYERS} are simulated. Show fewer devices or micro-batches: all are alike.`,
    );
}
