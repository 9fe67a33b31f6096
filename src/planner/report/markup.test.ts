import { expect, test } from 'vitest';
import { drawing, escapeMarkup, label, place } from './markup.js';

test('no text becomes markup', () => {
  expect(escapeMarkup(`<script>"a" & 'b'</script>`)).toBe(
    '&#60;script&#62;&#34;a&#34; &#38; &#39;b&#39;&#60;/script&#62;',
  );
  expect(label(1, 2, '</text><script>')).not.toContain('<script>');
  expect(drawing(1, 1, '"><script>', '')).not.toContain('<script>');
});

test('coordinates are short', () => {
  expect([place(1 / 3), place(2), place(-0.004)].map(Number)).toEqual([0.33, 2, 0]);
  expect(label(1 / 3, 2, 'x', { where: 'end', kind: 'tick' })).toBe(
    '<text class="tick" x="0.33" y="2" text-anchor="end">x</text>',
  );
});
