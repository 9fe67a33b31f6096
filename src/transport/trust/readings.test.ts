import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Readings } from './readings.js';

/** A server that only counts, and takes a while to read. */
function server() {
  const done: string[] = [];
  const state = { ended: false };
  const process = {
    reload: async () => {
      done.push('reload');
      await sleep(5);
    },
    revive: async () => {
      const { ended } = state;
      state.ended = false;
      if (ended) done.push('start');
      return ended;
    },
  };
  return { done, state, process, write: async () => void done.push('write') };
}

const ONCE = { again: [], between: 0 };

test('a change is written and read twice', async () => {
  const { done, process, write } = server();
  await new Readings(process, write, ONCE).change();
  expect(done).toEqual(['write', 'reload', 'reload']);
});

test('changes that come meanwhile share the next reading, some time after the last', async () => {
  const { done, process, write } = server();
  const readings = new Readings(process, write, { again: [], between: 150 });
  await readings.change();
  const began = performance.now();
  await Promise.all([readings.change(), sleep(50).then(() => readings.change())]);
  expect(performance.now() - began).toBeGreaterThan(100);
  expect(done).toEqual(['write', 'reload', 'reload', 'write', 'reload', 'reload']);
});

test('an urgent one waits for nothing, and takes along what waits', async () => {
  const { done, process, write } = server();
  const readings = new Readings(process, write, { again: [], between: 60_000 });
  await readings.change();
  const waiting = readings.change();
  await readings.change(true);
  await waiting;
  expect(done.filter((what) => what === 'write')).toHaveLength(2);
});

test('what was read is read once more, and again, until the end', async () => {
  const { done, process, write } = server();
  const readings = new Readings(process, write, { again: [20, 40], between: 0 });
  await readings.change();
  await sleep(200);
  expect(done).toEqual(['write', 'reload', 'reload', 'write', 'reload', 'write', 'reload']);
  await readings.change();
  readings.end();
  const { length } = done;
  await sleep(100);
  expect(done).toHaveLength(length);
});

test('it is read once more now and then for as long as it is there', async () => {
  const { done, process, write } = server();
  const readings = new Readings(process, write, { again: [], between: 0, every: 20 });
  await readings.change();
  await expect.poll(() => done.filter((what) => what === 'reload').length).toBeGreaterThan(4);
  readings.end();
});

test('a server that had ended reads as it starts, and is left in peace while its workers come back', async () => {
  const { done, state, process, write } = server();
  const readings = new Readings(process, write, { again: [], between: 150 });
  state.ended = true;
  await readings.change();
  expect(done).toEqual(['write', 'start']);
  state.ended = true;
  expect(await readings.revive()).toBe(true);
  const began = performance.now();
  await readings.change();
  expect(performance.now() - began).toBeGreaterThan(100);
});

test('a start that a reading has made is told to who asks next, once', async () => {
  const { state, process, write } = server();
  const readings = new Readings(process, write, ONCE);
  state.ended = true;
  await readings.change();
  expect(await readings.revive()).toBe(true);
  expect(await readings.revive()).toBe(false);
});

test('a reading that fails says so, and the next one is made', async () => {
  const { process, write } = server();
  let failing = true;
  const fails = async () => {
    if (failing) throw new Error('refused');
  };
  const readings = new Readings({ ...process, reload: fails }, write, ONCE);
  await expect(readings.change()).rejects.toThrow('refused');
  failing = false;
  await readings.change();
});
