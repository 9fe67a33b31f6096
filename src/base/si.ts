/**
 * A value by thousands, and how many of them: 1,234,567 is 1.234567 twice divided. What three digits would round up to
 * 1,000 is divided once more.
 *
 * @param most times it may be divided
 */
export function byThousands(value: number, most: number): readonly [value: number, times: number] {
  let rest = value;
  let times = 0;
  while (Math.abs(rest) >= 999.5 && times < most) {
    rest /= 1000;
    times++;
  }
  return [rest, times];
}
