import { describe, expect, it } from 'vitest';
import { TimedEvents } from '../event-queue.js';
import { Line } from './lines.js';

describe('Line', () => {
  it('tells each transfer’s end at its time, whatever happens meanwhile', () => {
    const queue = new TimedEvents();
    const line = new Line(queue, 100);
    const log: string[] = [];
    const send = (name: string, bytes: number, cap: number) =>
      line.send(bytes, cap, () => log.push(`${name}@${queue.now}`));
    send('a', 200, 1000);
    queue.at(1, () => {
      const b = send('b', 1000, 1000);
      // a has 100 left: at 50 for a second, then at 100 again.
      queue.at(2, () => line.cancel(b));
    });
    queue.at(10, () => {
      send('c', 100, 20);
      line.setCapacity(10);
      queue.after(5, () => line.setCapacity(1000));
    });
    while (queue.step()) {}
    expect(log).toEqual(['a@2.5', 'c@17.5']);
  });

  it('lets what ends start the next', () => {
    const queue = new TimedEvents();
    const line = new Line(queue, 10);
    let end = 0;
    line.send(10, 10, () =>
      line.send(20, 5, () => {
        end = queue.now;
      }),
    );
    while (queue.step()) {}
    expect(end).toBe(5);
  });
});
