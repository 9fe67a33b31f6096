import { expect, test } from 'vitest';
import { STYLE } from './style.js';

test('every colour has a value in light and in dark, and nothing is fetched', () => {
  const [light, dark] = STYLE.split('prefers-color-scheme: dark') as [string, string];
  const names = (css: string) => new Set([...css.matchAll(/(--[a-z0-9]+):/g)].map(([, name]) => name));
  expect(names(dark)).toEqual(names(light));
  for (const [, used] of STYLE.matchAll(/var\((--[a-z0-9]+)\)/g)) expect(names(light)).toContain(used);
  expect(STYLE).not.toMatch(/url\(|@import|http/);
});
