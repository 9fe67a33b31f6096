import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

it.each(['in Node', 'as in a browser, which has no setImmediate'])('lets others have their turn: %s', async (where) => {
  const { MessageChannel } = globalThis;
  const opened: InstanceType<typeof MessageChannel>[] = [];
  if (where !== 'in Node') {
    vi.stubGlobal('setImmediate', undefined);
    vi.stubGlobal(
      'MessageChannel',
      class extends MessageChannel {
        constructor() {
          super();
          opened.push(this);
        }
      },
    );
  }
  const { othersTurn } = await import('./others-turn.js');
  const seen: string[] = [];
  const message = new MessageChannel();
  message.port1.once('message', () => seen.push('message'));
  message.port2.postMessage(undefined);
  const both = [othersTurn().then(() => seen.push('first')), othersTurn().then(() => seen.push('second'))];
  queueMicrotask(() => seen.push('microtask'));
  await Promise.all(both);
  expect(seen[0]).toBe('microtask');
  expect(seen.indexOf('second')).toBeGreaterThan(seen.indexOf('first'));
  expect(opened).toHaveLength(where === 'in Node' ? 0 : 1);
  // It would keep this process alive.
  for (const { port1 } of [message, ...opened]) port1.close();
});
