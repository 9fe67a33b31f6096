import { describe, expect, test } from 'vitest';
import { PassingError, Patience } from './patience.js';

/** A clock that goes on by each attempt's whole time. */
function clock() {
  let time = 0;
  return { now: () => time, pass: (milliseconds: number) => (time += milliseconds) };
}

const busy = () => new PassingError('busy', { cause: new Error('nobody answers') });

describe('patience', () => {
  test('tries until it succeeds, giving each attempt longer', async () => {
    const timeouts: number[] = [];
    const result = await new Patience({ now: () => 0 }).keepTrying(async (timeout) => {
      timeouts.push(timeout);
      if (timeouts.length < 3) throw busy();
      return 'done';
    });
    expect(result).toBe('done');
    expect(timeouts).toEqual([5000, 10_000, 20_000]);
  });

  test('misses an answer after some times what the last ones took, by what they carried', async () => {
    const { now, pass } = clock();
    const patience = new Patience({ now });
    const first = async (bytes?: number) => {
      let given = 0;
      await patience.keepTrying(
        async (timeout) => {
          given ||= timeout;
        },
        undefined,
        bytes,
      );
      return given;
    };
    const answer = (milliseconds: number, bytes?: number) =>
      patience.keepTrying(async () => void pass(milliseconds), undefined, bytes);
    for (let i = 0; i < 2; i++) {
      expect(await first()).toBe(5000);
      await answer(100, 2 ** 18);
    }
    // Of 256 KiB in 100 ms a MiB takes 400; what is small takes no longer than they did.
    expect(await first(2 ** 20)).toBe(3200);
    expect(await first(100)).toBe(800);
    for (let i = 0; i < 16; i++) await answer(1);
    expect([await first(100), await first(2 ** 20)]).toEqual([500, 500]);
    // One that is slow counts at once, also when it was asked for more than once.
    await answer(3000);
    expect(await first()).toBe(5000);
  });

  test('ends with the reason when nothing has been answered for as long as it lasts', async () => {
    const { now, pass } = clock();
    let attempts = 0;
    const trying = new Patience({ now, patience: 30_000 }).keepTrying(async (timeout) => {
      attempts++;
      pass(timeout);
      throw busy();
    });
    await expect(trying).rejects.toThrow('nobody answers');
    expect(attempts).toBe(3);
  });

  test('goes on as long as anything else is answered', async () => {
    const { now, pass } = clock();
    const patience = new Patience({ now, patience: 10_000 });
    let attempts = 0;
    const slow = patience.keepTrying(async (timeout) => {
      pass(timeout);
      await patience.keepTrying(async () => 'another');
      if (++attempts < 4) throw busy();
      return attempts;
    });
    expect(await slow).toBe(4);
  });

  test('does not try again what will not pass', async () => {
    let attempts = 0;
    const trying = new Patience().keepTrying(async () => {
      attempts++;
      throw new Error('refused');
    });
    await expect(trying).rejects.toThrow('refused');
    expect(attempts).toBe(1);
  });

  test('ends at once when told to, in an attempt and between two', async () => {
    const controller = new AbortController();
    const during = new Patience().keepTrying(() => new Promise(() => {}), controller.signal);
    const between = new Patience().keepTrying(async () => {
      throw busy();
    }, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(during).rejects.toThrow('enough');
    await expect(between).rejects.toThrow();
    await expect(new Patience().keepTrying(async () => 1, controller.signal)).rejects.toThrow('enough');
  });

  test('begins anew at once what is known to be lost', async () => {
    const patience = new Patience();
    let attempts = 0;
    const trying = patience.keepTrying(() =>
      ++attempts === 1 ? new Promise<string>(() => {}) : Promise.resolve('done'),
    );
    patience.beginAnew();
    expect(await trying).toBe('done');
    expect(attempts).toBe(2);
  });
});
