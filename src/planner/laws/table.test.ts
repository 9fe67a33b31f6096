import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chinchillaPoints } from './chinchilla.js';
import { fitTable, readPoints } from './table.js';

const shipped = chinchillaPoints();
const csv = [
  'x,color,Model Size,Training FLOP,loss',
  ...shipped.map(({ parameters, tokens, loss }) => `0,#fff,${parameters},${6 * parameters * tokens},${loss}`),
].join('\n');

describe('fitTable', () => {
  it('leaves out five of 245 by itself, and fits all beside them', () => {
    const { fit, all, dropped, confidence, delta } = fitTable(csv, { samples: 10 });
    expect(fit.points).toBe(240);
    expect(all.points).toBe(245);
    expect(delta).toBe(1e-3);
    expect(dropped.map(({ tokens, parameters }) => tokens / parameters).sort((a, b) => a - b)).toEqual(
      shipped
        .map(({ tokens, parameters }) => tokens / parameters)
        .sort((a, b) => a - b)
        .slice(0, 5)
        .map((ratio) => expect.closeTo(ratio, 6)),
    );
    expect(fit.law.alpha).toBeCloseTo(0.34731, 4);
    expect(confidence.E.low).toBeLessThan(confidence.E.high);
  });

  it('fits the same twice when nothing is to be left out', () => {
    const { fit, all, dropped } = fitTable(csv, { drop: 0, samples: 1 });
    expect(fit).toBe(all);
    expect(dropped).toEqual([]);
  });

  it('refuses options out of range', () => {
    expect(() => fitTable(csv, { drop: -1 })).toThrow('whole number from 0; got -1');
    expect(() => fitTable(csv, { drop: 240 })).toThrow('at least 6 runs; got 5');
    expect(() => fitTable(csv, { delta: 0 })).toThrow('delta must be a number above 0');
  });
});

describe('readPoints', () => {
  it('knows columns by several names, and makes tokens of FLOP', () => {
    const expected = [{ parameters: 2e6, tokens: 1e9, loss: 4.5 }];
    expect(readPoints('N,D,L\n2e6,1e9,4.5')).toEqual(expected);
    expect(readPoints('loss,Training_FLOP,"Model Size"\n4.5,12e15,2000000')).toEqual(expected);
    expect(readPoints('params,tokens,flops,val-loss\n2.0e+06,1000000000,1,4.5')).toEqual(expected);
  });

  it.each([
    ['N,loss\n1,2', 'no column for tokens (D) or flop (C)'],
    ['a,b\n1,2', 'no column for parameters (N), nor for tokens (D) or flop (C), nor for loss'],
    ['N,params,D,loss\n1,1,2,3', '2 columns for parameters: N, params'],
    ['N,D,loss\n1e9,1e9,3\n1e9,OOM,3', "Row 2 of the table, column D: expected a number above 0; got 'OOM'"],
    ['N,D,loss\n0,1e9,3', "got '0'"],
    ['N,D,loss\n-1,1e9,3', "got '-1'"],
    ['N,D,loss\n1e999,1e9,3', "got '1e999'"],
    ['N,D,loss\n0x10,1e9,3', "got '0x10'"],
    ['N,D,loss\n1e9,1e9,', "got ''"],
    ['N,D,loss\n1e9,1e9,140', 'a loss of 140; expected nats a token'],
    [`N,D,loss\n${'1,2,3\n'.repeat(20_001)}`, '20001 rows; at most 20000'],
  ])('refuses %j', (text, message) => {
    expect(() => readPoints(text)).toThrow(message);
  });

  it('gives only finite positive points or a clear error', () => {
    const row = fc.tuple(fc.double().map(String), fc.double().map(String), fc.string());
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        try {
          for (const point of readPoints(['N,D,loss', ...rows.map((cells) => cells.join(','))].join('\n')))
            for (const value of Object.values(point)) expect(value > 0 && Number.isFinite(value)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ name: 'UsageError' });
        }
      }),
    );
  });
});
