/** The cosine of the angle between two vectors of the same length; 0 where one of them is 0. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [product, left, right] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    left += a[i]! ** 2;
    right += b[i]! ** 2;
  }
  return product / (Math.sqrt(left * right) || 1);
}
