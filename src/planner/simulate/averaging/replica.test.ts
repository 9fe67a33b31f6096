import { describe, expect, it } from 'vitest';
import { Random } from '../../../base/random.js';
import type { MessageToWorker, WorkerMessage } from '../../../rounds/index.js';
import { TimedEvents } from '../event-queue.js';
import { hashOf } from './coordinator.js';
import { Line } from './lines.js';
import { TimedReplica } from './replica.js';
import type { AveragingSpec } from './spec.js';

const spec: AveragingSpec = {
  replicas: [],
  rounds: 1,
  steps: 10,
  tokensPerStep: 3,
  contributionBytes: 800,
  resultBytes: 400,
  stateBytes: 1000,
};

/** A replica alone with its lines; what it sends and spends its time on. */
function alone() {
  const queue = new TimedEvents();
  const sent: WorkerMessage[] = [];
  const spent: string[] = [];
  let trained = 0;
  const moved: Record<string, number> = {};
  const line = () => new Line(queue, 1e9);
  const replica = new TimedReplica(
    {
      queue,
      spec,
      lines: { reduce: line(), gather: line(), store: line() },
      send: (message) => sent.push(message),
      baseOf: (round) => (round === 1 ? 0 : undefined),
      spent: (_, activity, start, round) => spent.push(`${activity} ${round}: ${start} to ${queue.now}`),
      trained: (steps) => {
        trained += steps;
      },
      moved: (kind, bytes) => {
        moved[kind] = (moved[kind] ?? 0) + bytes;
      },
    },
    7,
    { stepsPerSecond: 2, up: 100, down: 200 },
    new Random(1),
  );
  const to = [{ worker: 'replica-7', incarnation: 1 }];
  const standing = (type: 'welcome' | 'commit', round: number): MessageToWorker => ({
    type,
    to,
    committed: { round, hash: hashOf(round) },
    closed: round,
  });
  const start = (round: number, base: number): MessageToWorker => ({
    type: 'startRound',
    to,
    round,
    base: { round: base, hash: hashOf(base) },
    members: [
      { worker: 'replica-7', incarnation: 1, steps: 10 },
      { worker: 'replica-8', incarnation: 1, steps: 5 },
    ],
  });
  const run = (until = Number.POSITIVE_INFINITY) => {
    queue.at(Math.min(until, 1e6), () => {});
    while (queue.now < Math.min(until, 1e6) && queue.step()) {}
  };
  return { queue, replica, sent, spent, moved, trained: () => trained, standing, start, run };
}

describe('Replica', () => {
  it('joins, fetches the state, trains, sends the others’ share, fetches the change', () => {
    const { queue, replica, sent, spent, moved, trained, standing, start, run } = alone();
    replica.join();
    replica.receive(standing('welcome', 0));
    run(5);
    queue.at(5, () => replica.receive(start(1, 0)));
    run(20);
    queue.at(20, () => replica.receive(standing('commit', 1)));
    run(30);
    replica.finish();
    expect(spent).toEqual([
      'download 0: 0 to 5',
      'train 1: 5 to 10',
      'upload 1: 10 to 14',
      'wait 0: 14 to 20',
      'download 1: 20 to 21',
      'wait 0: 21 to 30',
    ]);
    expect(sent.map(({ type }) => type)).toEqual(['join', 'report', 'contribution', 'report']);
    expect(sent[2]).toMatchObject({ round: 1, tokens: 30, steps: 10, seconds: 5, baseHash: hashOf(0), incarnation: 1 });
    expect(sent[3]).toMatchObject({ round: 1, closed: 1, hash: hashOf(1) });
    expect(moved).toEqual({ states: 1000, contributions: 400, results: 200 });
    expect(trained()).toBe(10);
  });

  it('drops what it trains when the round is over without it', () => {
    const { queue, replica, sent, spent, trained, standing, start, run } = alone();
    replica.join();
    replica.receive(standing('welcome', 0));
    run(5);
    queue.at(5, () => replica.receive(start(1, 0)));
    queue.at(7, () => replica.receive(standing('commit', 1)));
    run(50);
    expect(spent.slice(1)).toEqual(['train 1: 5 to 7', 'download 1: 7 to 8']);
    expect(sent.map(({ type }) => type)).toEqual(['join', 'report', 'report']);
    expect(trained()).toBe(4);
  });

  it('starts no round twice, none that is over, and none from parameters that it lacks', () => {
    const { queue, replica, spent, standing, start, run } = alone();
    replica.join();
    replica.receive(start(1, 0));
    replica.receive(standing('welcome', 0));
    run(5);
    queue.at(5, () => {
      replica.receive(start(0, 0));
      replica.receive(start(1, 0));
      replica.receive(start(1, 0));
    });
    run(50);
    expect(spent.filter((line) => line.startsWith('train'))).toEqual(['train 1: 5 to 10']);
  });

  it('loses everything when it fails, and fetches all again in its next life', () => {
    const { queue, replica, sent, spent, standing, start, run } = alone();
    replica.join();
    replica.receive(standing('welcome', 0));
    run(5);
    queue.at(5, () => replica.receive(start(1, 0)));
    queue.at(6, () => replica.end(false));
    queue.at(9, () => replica.join());
    queue.at(9, () => replica.receive(standing('welcome', 0)));
    run(20);
    expect(spent.slice(1)).toEqual(['train 1: 5 to 6', 'away 0: 6 to 9', 'download 0: 9 to 14']);
    expect(sent.map(({ type, incarnation }) => `${type} ${incarnation}`)).toEqual([
      'join 1',
      'report 1',
      'join 2',
      'report 2',
    ]);
    replica.end(true);
    expect(sent.at(-1)).toMatchObject({ type: 'leave', incarnation: 2 });
    expect(replica.alive).toBe(false);
  });
});
