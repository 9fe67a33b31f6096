import { expect, test, vi } from 'vitest';
import { onInterrupt } from './interrupt.js';
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
