import { setImmediate as othersTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

describe('Turns', () => {
  it('lets one at a time through, in order', async () => {
    const turns = new Turns();
    const said: string[] = [];
    const visit = async (name: string) => {
      const end = await turns.take();
      said.push(`${name} in`);
      await othersTurn();
      said.push(`${name} out`);
      end();
    };
    await Promise.all(['a', 'b', 'c'].map(visit));
    expect(said).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    await visit('d');
    expect(said.at(-1)).toBe('d out');
  });

  it('frees the place of one who leaves, without a turn', async () => {
    const turns = new Turns();
    const end = await turns.take();
    const leaving = new AbortController();
    const second = turns.take(leaving.signal);
    const third = turns.take();
    leaving.abort(new Error('tired of waiting'));
    await expect(second).rejects.toThrow('tired of waiting');
    end();
    (await third)();
    await expect(turns.take(leaving.signal)).rejects.toThrow('tired of waiting');
    (await turns.take())();
  });

  it('lets no one pass between a turn that ends and the next in line', async () => {
    const turns = new Turns();
    const end = await turns.take();
    const order: string[] = [];
    const waiting = turns.take().then((done) => order.push('waiting') && done());
    end();
    const late = turns.take().then((done) => order.push('late') && done());
    await Promise.all([waiting, late]);
    expect(order).toEqual(['waiting', 'late']);
  });
});
