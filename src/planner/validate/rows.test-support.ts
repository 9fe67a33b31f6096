import { type Cells, readCsv } from '../catalogue/csv.js';

/** Columns of the calibration set. */
export const columns = [
  'id,source,source_path,year,framework,model,params_B,layers,hidden,heads,kv_heads,ffn,seq,vocab,accel,accel_mem_GB',
  'n_accel,accel_per_node,intra_node_GBps,inter_node_Gbps_per_node,dp,tp,pp,vpp,cp,ep,zero_stage,offload,recompute',
  'precision,micro_batch,grad_accum,global_batch_seqs,step_time_s,tflops_per_accel,flop_convention,mfu_pct',
  'tokens_per_s_per_accel,peak_mem_GB,gpu_hours,days,tokens_trained_B,printed_unit,grade,quality,notes',
].join(',');

/** Megatron-LM's README of September 2020: GPT-2 8B on 1,024 A100, 1.38 s a step. */
export const megatron: Readonly<Record<string, string>> = {
  id: 'r0577',
  source: 'Megatron-LM README Sep 2020',
  year: '2020',
  framework: 'Megatron-LM',
  model: 'GPT-2 8B',
  params_B: '8.67',
  layers: '42',
  hidden: '4096',
  heads: '32',
  ffn: '16384',
  seq: '1024',
  vocab: '51200',
  accel: 'A100-SXM (DGX-A100)',
  accel_mem_GB: '40',
  n_accel: '1024',
  accel_per_node: '8',
  intra_node_GBps: '300',
  inter_node_Gbps_per_node: '1600',
  dp: '128',
  tp: '8',
  pp: '1',
  zero_stage: '0',
  recompute: 'full',
  precision: 'fp16',
  micro_batch: '16',
  global_batch_seqs: '2048',
  step_time_s: '1.38',
  flop_convention: 'hardware',
  printed_unit: 'step_time_s',
  grade: 'A',
};

/** A table of rows that differ from {@link megatron}. */
export function tableOf(...changes: readonly Readonly<Record<string, string>>[]): string {
  const names = columns.split(',');
  const quote = (cell: string): string => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const lines = changes.map((change) => {
    const row: Readonly<Record<string, string>> = { ...megatron, ...change };
    return names.map((name) => quote(row[name] ?? '')).join(',');
  });
  return `${[columns, ...lines].join('\n')}\n`;
}

/** The cells of one such row. */
export const cellsOf = (change: Readonly<Record<string, string>> = {}): Cells => readCsv(tableOf(change)).rows[0]!;
