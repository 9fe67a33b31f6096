import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../base/errors.js';
import { fitDoubling, monthsOf, type TrendPoint } from './fit.js';

const run = (date: string, flop: number): TrendPoint => ({ model: date, date, flop });
const decade = ['2010-01-01', '2019-12-31'] as const;

it('a month is a twelfth of a mean Gregorian year', () => {
  expect(monthsOf('1970-01-01')).toBe(0);
  expect(monthsOf('2370-01-01')).toBeCloseTo(4800, 9);
});

describe('fitDoubling', () => {
  it('finds the doubling time that points were made with, by endpoints and by regression', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 60, noNaN: true }), (doubling) => {
        const dates = ['2011-03-01', '2013-07-04', '2014-01-01', '2018-12-31'];
        const points = dates.map((date) => run(date, 1e18 * 2 ** (monthsOf(date) / doubling)));
        const { endpoints, regression } = fitDoubling(points, decade, 'all');
        expect(endpoints.doublingMonths / doubling).toBeCloseTo(1, 6);
        expect(regression.doublingMonths / doubling).toBeCloseTo(1, 6);
        expect(regression.factorPerYear).toBeCloseTo(2 ** (12 / doubling), 6);
        expect(regression.r2).toBeCloseTo(1, 9);
      }),
    );
  });

  it('counts a halving of compute as a doubling of efficiency', () => {
    const fit = fitDoubling([run('2012-01-01', 8), run('2014-01-01', 2)], decade, 'all', true);
    expect(fit.endpoints.factor).toBe(4);
    expect(fit.endpoints.months).toBeCloseTo(24.02, 2);
    expect(fit.endpoints.doublingMonths).toBeCloseTo(12.01, 2);
  });

  it('records are runs above every one before, also above those before the period', () => {
    const points = [
      run('2009-01-01', 10),
      run('2011-01-01', 4),
      run('2012-01-01', 20),
      run('2013-01-01', 15),
      run('2014-01-01', 40),
    ];
    expect(fitDoubling(points, decade, 'records').points.map(({ flop }) => flop)).toEqual([20, 40]);
    expect(fitDoubling(points, decade, 'all').points.map(({ flop }) => flop)).toEqual([4, 20, 15, 40]);
    expect(fitDoubling(points.reverse(), decade, 'records').points).toHaveLength(2);
  });

  it('says how far the points lie from the line', () => {
    const points = [run('2012-01-01', 2), run('2013-01-01', 32), run('2014-01-01', 8)];
    // log₂: 1, 5, 3 at nearly equal distances: slope 1 a year explains 2 of 8.
    expect(fitDoubling(points, decade, 'all').regression.r2).toBeCloseTo(0.25, 2);
  });

  it('needs two points of different days within the period', () => {
    expect(() => fitDoubling([], decade, 'all')).toThrow(UsageError);
    expect(() => fitDoubling([run('2012-01-01', 1), run('2012-01-01', 2)], decade, 'all')).toThrow(
      /two points of different days; 2010-01-01 to 2019-12-31 has 2. Widen/,
    );
  });
});
