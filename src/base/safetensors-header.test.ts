import { describe, expect, test } from 'vitest';
import { MeanfieldError } from './errors.js';
import { parseSafetensorsHeader } from './safetensors-header.js';

const bytes = (text: string) => new TextEncoder().encode(text);

test('tensors come in the order of their data, whatever the order of the header', () => {
  const json =
    '{"b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},"__metadata__":{"k":"v"},"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"0":{"dtype":"BOOL","shape":[0],"data_offsets":[20,20]}}   ';
  const { tensors, metadata } = parseSafetensorsHeader(bytes(json), 20, 'f');
  expect([...tensors.values()]).toEqual([
    { name: 's', dtype: 'I64', shape: [], length: 1, start: 0, bytes: 8 },
    { name: 'b', dtype: 'F16', shape: [2, 3], length: 6, start: 8, bytes: 12 },
    { name: '0', dtype: 'BOOL', shape: [0], length: 0, start: 20, bytes: 0 },
  ]);
  expect(metadata).toEqual({ k: 'v' });
});

describe('a hostile header is refused with a reason', () => {
  const entry = (more: object) => JSON.stringify({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...more } });
  const two = '{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":';
  const cases: [string, string | Uint8Array, RegExp, number?][] = [
    ['empty header', '', /no JSON/],
    ['no JSON', '{"x":', /no JSON/],
    ['JSON after spaces', ' {}', /no JSON object/],
    ['an array', '[]', /no JSON object/],
    ['null', 'null', /no JSON object/],
    ['invalid UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), /no JSON/],
    ['byte order mark', '\ufeff{}', /no JSON/],
    ['a name twice', `${two}[4,8]},"x":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}}`, /has "x" twice/, 8],
    ['a name twice, escaped', `${two}[4,8]},"\\u0078":{}}`, /has "x" twice/, 8],
    ['a field twice', '{"x":{"dtype":"F32","dtype":"F32"}}', /has "dtype" twice/],
    ['metadata that is no object', '{"__metadata__":"pt"}', /__metadata__ must map/],
    ['metadata that is an array', '{"__metadata__":["pt"]}', /__metadata__ must map/],
    ['metadata that is no text', '{"__metadata__":{"n":1}}', /__metadata__ must map/],
    ['entry that is no object', '{"x":7}', /entry of tensor "x" is no object/],
    ['unknown type', entry({ dtype: 'F31' }), /type "F31", allowed are BOOL/, 8],
    ["type from Object's prototype", entry({ dtype: 'toString' }), /type "toString", allowed/, 8],
    ['no type', entry({ dtype: undefined }), /type nothing/, 8],
    ['negative size', entry({ shape: [-2] }), /shape \[-2\], expected whole/, 8],
    ['two negative sizes', entry({ shape: [-2, -1] }), /expected whole/, 8],
    ['fraction as size', entry({ shape: [0.5, 4] }), /expected whole/, 8],
    ['text as size', entry({ shape: ['2'] }), /expected whole/, 8],
    ['shape that is no list', entry({ shape: 2 }), /expected whole/, 8],
    ['size beyond exact numbers', entry({ shape: [2 ** 53] }), /expected whole/, 8],
    ['product of sizes overflows', entry({ shape: [2 ** 31, 2 ** 31, 4, 0] }), /more elements than/, 8],
    ['three offsets', entry({ data_offsets: [0, 8, 8] }), /expected \[start, end\]/, 8],
    ['negative offset', entry({ data_offsets: [-8, 0] }), /expected \[start, end\]/, 8],
    ['offsets backwards', entry({ data_offsets: [8, 0] }), /expected \[start, end\]/, 8],
    ['fraction as offset', entry({ data_offsets: [0, 7.5] }), /expected \[start, end\]/, 8],
    ['no offsets', entry({ data_offsets: undefined }), /data_offsets nothing/, 8],
    ['size and offsets differ', entry({ data_offsets: [0, 4] }), /needs 8 bytes, has 4/, 8],
    ['data beyond the end', entry({}), /take 8 bytes, the file has 7/, 7],
    ['bytes that no tensor has', entry({}), /take 8 bytes, the file has 9/, 9],
    ['a hole at the start', entry({ data_offsets: [4, 12] }), /starts at byte 4, expected 0/, 12],
    ['overlap', `${two}[2,6]}}`, /"y" starts at byte 2, expected 4/, 8],
    ['the same bytes twice', `${two}[0,4]}}`, /starts at byte 0, expected 4/, 8],
    ['a hole between', `${two}[5,9]}}`, /starts at byte 5, expected 4/, 9],
    ['a very long name in an error', JSON.stringify({ ['n'.repeat(9999)]: 1 }), /entry of tensor "n{79}… is no/],
  ];
  test.each(cases)('%s', (_, header, reason, dataBytes = 0) => {
    const json = typeof header === 'string' ? bytes(header) : header;
    const parsing = () => parseSafetensorsHeader(json, dataBytes, 'model.safetensors');
    expect(parsing).toThrow(MeanfieldError);
    expect(parsing).toThrow(reason);
    expect(parsing).toThrow(/^model.safetensors is not a sound safetensors file: .*Restore it/);
  });
});
