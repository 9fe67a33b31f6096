import { expect, test, vi } from 'vitest';
import { interruptible, onInterrupt } from './interrupt.js';
import { testOutput } from './test-output.js';

test('the first signal stops, its echo is none, the second only tells, the third kills', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  const stop = vi.fn();
  const output = testOutput();
  let time = 0;
  const interruption = onInterrupt(output, 'stopping', stop, () => time);
  try {
    expect(interruption.requested).toBe(false);
    process.emit('SIGINT', 'SIGINT');
    time = 50;
    process.emit('SIGINT', 'SIGINT');
    expect(interruption.requested).toBe(true);
    expect(output.stderr).toEqual(['\nstopping (SIGINT)\n']);
    time = 200;
    process.emit('SIGTERM', 'SIGTERM');
    expect(output.stderr.at(-1)).toContain('already stopping');
    expect(stop).toHaveBeenCalledTimes(1);
    expect(kill).not.toHaveBeenCalled();
    time = 400;
    process.emit('SIGINT', 'SIGINT');
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGINT');
  } finally {
    interruption.release();
    kill.mockRestore();
  }
});

test('once released, signals are not ours', () => {
  const before = process.listenerCount('SIGINT');
  const interruption = onInterrupt(testOutput(), '', () => {});
  expect(process.listenerCount('SIGINT')).toBe(before + 1);
  interruption.release();
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('work ends with nothing where it was stopped, and with its error where it was not', async () => {
  const closed = new AbortController();
  const output = testOutput();
  const context = { output, closed: closed.signal };
  await expect(interruptible(context, async () => 1)).resolves.toBe(1);
  const broken = interruptible(context, async () => {
    throw new Error('broken');
  });
  await expect(broken).rejects.toThrow('broken');
  const listeners = process.listenerCount('SIGINT');
  const stopped = interruptible(context, async (signal) => {
    closed.abort();
    signal.throwIfAborted();
    return 2;
  });
  await expect(stopped).resolves.toBeUndefined();
  expect(process.listenerCount('SIGINT')).toBe(listeners);
});
