import { describe, expect, it } from 'vitest';
import { Fields } from './fields.js';
import { clusterOf } from './machine.js';
import { cellsOf } from './rows.test-support.js';

const read = (change: Readonly<Record<string, string>>, accelerators = 64) => {
  const fields = new Fields(cellsOf(change));
  return { cluster: clusterOf(fields, accelerators, 0.75), assumptions: fields.assumptions };
};

describe('clusterOf', () => {
  it('has the printed links, and the usual ones where nothing is printed', () => {
    expect(read({}).cluster).toMatchObject({ perNode: 8, intraNode: 300e9, interNode: 200e9, accelerators: 64 });
    expect(read({}).cluster.accelerator.name).toBe('A100-SXM-40GB');
    const usual = read({ intra_node_GBps: '', inter_node_Gbps_per_node: '', accel_per_node: '' }).cluster;
    expect([usual.perNode, usual.intraNode]).toEqual([8, 300e9]);
    expect(usual.interNode).toBeGreaterThan(0);
  });

  it('derates Omni-Path, and takes a measured figure where the cell has one', () => {
    expect(read({ inter_node_Gbps_per_node: '400 (4x OPA100)' }).cluster.interNode).toBeCloseTo(0.4 * 50e9, 0);
    const measured = '400 nominal (OPA); busbw 23-57 Gb/s measured';
    expect(read({ inter_node_Gbps_per_node: measured }).cluster.interNode).toBeCloseTo(
      ((Math.sqrt(23 * 57) / 8) * 1e9) / 0.75,
      0,
    );
  });

  it('refuses an accelerator that it does not know: another would be predicted', () => {
    expect(() => read({ accel: 'Frobnicator 9', accel_mem_GB: '' })).toThrow(/Unknown accelerator .*Nearest: /);
  });

  it('takes a package of two dies as two devices where eight of a node are counted', () => {
    const die = read({ accel: 'MI250X', accel_mem_GB: '', accel_per_node: '8' }).cluster.accelerator;
    const whole = read({ accel: 'MI250X', accel_mem_GB: '', accel_per_node: '4' }).cluster.accelerator;
    expect([die.name, whole.name]).toEqual(['MI250X-GCD', 'MI250X']);
    expect(die.rates.bf16! * 2).toBe(whole.rates.bf16);
  });

  it('has no node larger than the machine', () => {
    expect(read({ accel_per_node: '8' }, 2).cluster.perNode).toBe(2);
    expect(read({ accel_mem_GB: '1e20' }).cluster.accelerator.memory).toBeLessThan(1e12);
  });
});
