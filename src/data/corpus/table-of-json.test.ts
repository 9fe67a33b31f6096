import { expect, it } from 'vitest';
import { isCutRow, tableOfJson } from './table-of-json.js';

it.each([
  ['{"text":"a","id":1}\n{"text":"b"}\n', 'lines', ['text', 'id']],
  ['\ufeff\n {"text":"a"} \r\n', 'lines', ['text']],
  ['{"a":"{"}', 'lines', ['a']],
  ['[{"instruction":"x","output":"y"},{"instruction":"z"}]', 'objects', ['instruction', 'output']],
  ['[\n  {\n    "a": "]}\\"{"\n  }\n]\n', 'objects', ['a']],
  ['{\n "a": 1\n}\n{\n "a": 2\n}\n', 'objects', ['a']],
  ['{\n "data": [{"a": 1}]\n}\n', undefined, []],
  ['[1, 2, 3]', undefined, []],
  ['["a", "b"]', undefined, []],
  ['[link](to) and {braces}', undefined, []],
  ['{ return 1; }\n', undefined, []],
  ['{"a":1}\nconst x = 2;\n', undefined, []],
  ['{"text": "cut', undefined, []],
  ['plain {"text":"a"}', undefined, []],
  ['', undefined, []],
  ['[]', undefined, []],
])('%j is a table by %s', (text, format, fields) => {
  const table = tableOfJson(Buffer.from(text), true);
  expect(table?.format).toBe(format);
  expect(table?.fields ?? []).toEqual(fields);
});

it('knows a first row that is cut', () => {
  expect(isCutRow(Buffer.from('{"text": "cut'))).toBe(true);
  expect(isCutRow(Buffer.from('[ {\n "text": "cut'))).toBe(true);
  expect(isCutRow(Buffer.from('{"text": "whole"}'))).toBe(false);
  expect(isCutRow(Buffer.from('plain'))).toBe(false);
  expect(isCutRow(Buffer.from('{ return'))).toBe(false);
  expect(tableOfJson(Buffer.from('{"text": "whole"}'), false)).toBeUndefined();
});
