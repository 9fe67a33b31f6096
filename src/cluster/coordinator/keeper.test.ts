import { expect, it } from 'vitest';
import type { ModelHandle } from '../model-thread/commands.js';
import { Keeper } from './keeper.js';

it('lets one thing after another happen to the vectors, a failure no less', async () => {
  const log: string[] = [];
  const ask = async (name: string) => {
    log.push(name);
    await new Promise(setImmediate);
    return name === 'apply' ? { hash: 'after', parts: [] } : 'before';
  };
  const thread = { ask, close: async () => void log.push('close') } as unknown as ModelHandle;
  const keeper = await Keeper.start(thread, undefined as never, 1, 2, []);
  expect(keeper.held.round).toBe(-1);
  const loading = keeper.load(3, [new Float32Array(2)]);
  const failing = keeper.exclusive(async () => {
    log.push(`sees ${keeper.held.round}`);
    throw new Error('full');
  });
  const applying = keeper.apply(4, 0, []);
  await expect(failing).rejects.toThrow('full');
  expect(await loading).toEqual({ round: 3, hash: 'before' });
  expect(await applying).toEqual({ hash: 'after', parts: [] });
  expect(keeper.held).toEqual({ round: 4, hash: 'after' });
  await keeper.close();
  expect(log).toEqual(['init', 'load', 'sees 3', 'apply', 'close']);
});
