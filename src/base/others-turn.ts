/** Those who wait for a message that they sent to themselves. */
const waiting: (() => void)[] = [];
let port: { postMessage(message: unknown): void } | undefined;

/**
 * Lets other events have their turn. Node has `setImmediate` for that; a page or a worker waits for a message to itself, which
 * browsers do not delay in tabs that are not looked at, as they do timers.
 */
export function othersTurn(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  port ??= openPort();
  const own = port;
  return new Promise((resolve) => {
    waiting.push(resolve);
    own.postMessage(undefined);
  });
}

function openPort(): typeof port & object {
  const { port1, port2 } = new MessageChannel();
  Object.assign(port1, { onmessage: () => waiting.shift()?.() });
  return port2;
}
