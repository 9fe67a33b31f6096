/**
 * Packs integers of −8 … 7 two a byte, in two's complement, the first in the lower half. An odd one out shares its byte
 * with 0.
 *
 * @param into half as many bytes as codes, rounded up
 */
export function packNibbles(codes: Int8Array, into: Uint8Array): void {
  const pairs = codes.length >> 1;
  for (let i = 0; i < pairs; i++) into[i] = (codes[2 * i]! & 15) | (codes[2 * i + 1]! << 4);
  if (codes.length & 1) into[pairs] = codes[codes.length - 1]! & 15;
}

/** The inverse of {@link packNibbles}: fills `into`. */
export function unpackNibbles(bytes: Uint8Array, into: Int8Array): void {
  const pairs = into.length >> 1;
  for (let i = 0; i < pairs; i++) {
    const byte = bytes[i]!;
    into[2 * i] = (byte << 28) >> 28;
    into[2 * i + 1] = (byte << 24) >> 28;
  }
  if (into.length & 1) into[into.length - 1] = (bytes[pairs]! << 28) >> 28;
}
