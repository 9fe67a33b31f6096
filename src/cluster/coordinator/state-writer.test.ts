import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { StateConflictError } from '../../transport/errors.js';
import type { RunKey } from '../../transport/signed.js';
import type { StateStore } from '../../transport/transport.js';
import { Play } from './coordinator.test-support.js';
import { StateWriter } from './state-writer.js';

/** A store whose next writes do as they are told. */
function stored(writes: readonly (() => number)[], isOver = () => false) {
  const left = [...writes];
  const notices: string[] = [];
  const asked: number[] = [];
  let kept: Uint8Array = Uint8Array.of();
  const store = {
    set: async (_key: string, value: Uint8Array, revision: number) => {
      asked.push(revision);
      kept = value;
      return left.shift()!();
    },
    get: async () => ({ value: kept, revision: 40 }),
  } as unknown as StateStore;
  const key = { signed: (_what: string, bytes: Uint8Array) => bytes } as unknown as RunKey;
  const onNotice = (message: string) => void notices.push(message);
  const overwrite = () => {
    kept = Uint8Array.of(1);
  };
  return { state: new StateWriter({ store, key, revision: 7, isOver, onNotice }), notices, asked, overwrite };
}

const conflict = (): never => {
  throw new StateConflictError('another');
};
const away = (): never => {
  throw new MeanfieldError('no answer');
};
const { state: run } = new Play();

it('replaces what it stored before, and waits while the message system is away', async () => {
  const { state, asked, notices } = stored([() => 8, away, () => 9]);
  expect([await state.replace(run), await state.replace(run)]).toEqual([true, true]);
  expect(asked).toEqual([7, 8, 8]);
  expect(notices).toEqual(["The run's state cannot be stored now: no answer"]);
});

it('knows a write of its own whose acknowledgement was lost from that of another', async () => {
  const own = stored([conflict, () => 41]);
  expect([await own.state.replace(run), await own.state.replace(run)]).toEqual([true, true]);
  expect(own.asked).toEqual([7, 40]);
  const other: ReturnType<typeof stored> = stored([
    () => {
      other.overwrite();
      return conflict();
    },
  ]);
  expect(await other.state.replace(run)).toBe(false);
});

it('stores nothing once this process leads no more', async () => {
  const { state, asked } = stored([], () => true);
  expect(await state.replace(run)).toBe(false);
  expect(asked).toEqual([]);
});
