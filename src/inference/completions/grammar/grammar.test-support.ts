import type { Random } from '../../../base/random.js';
import type { GrammarMask } from './grammar-mask.js';

/** Ids that a mask allows. */
export function allowedIds(mask: Uint32Array, size: number): number[] {
  const ids: number[] = [];
  for (let id = 0; id < size; id++) if (mask[id >>> 5]! & (1 << (id & 31))) ids.push(id);
  return ids;
}

/** Tokens that bring a text nearer to its end, the likeliest first. */
const CLOSING = ['"', 'b', '}', ']', '0'];

/**
 * Writes a text of random tokens that a mask allows, and after some time one that ends soon.
 *
 * @param wander tokens that are random
 */
export function writeRandomly(
  mask: GrammarMask,
  {
    size,
    bytesOf,
    random,
    wander,
  }: { size: number; bytesOf: (id: number) => Uint8Array; random: Random; wander: number },
): string {
  const bytes: Uint8Array[] = [];
  for (let step = 0; !mask.ended; step++) {
    if (step > wander + 2000) throw new Error(`no end: ${Buffer.concat(bytes).toString().slice(0, 400)}`);
    const allowed = allowedIds(mask.next(), size);
    let id = allowed[Math.floor(random.uniform() * allowed.length)]!;
    if (step >= wander) {
      const texts = new Map(allowed.map((each) => [Buffer.from(bytesOf(each)).toString('latin1'), each]));
      const closing = CLOSING.find((text) => texts.has(text));
      if (closing !== undefined) id = texts.get(closing)!;
    }
    bytes.push(bytesOf(id));
    mask.accept(id);
  }
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes));
}

/** Whether a text can be written byte by byte, and may end there. */
export function accepts(mask: GrammarMask, bytes: Uint8Array): boolean {
  for (const byte of bytes) {
    if (!(mask.next()[byte >>> 5]! & (1 << (byte & 31)))) return false;
    mask.accept(byte);
    if (mask.ended) return byte === bytes.at(-1);
  }
  return mask.whole;
}
