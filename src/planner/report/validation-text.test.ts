import { expect, test } from 'vitest';
import { validateRows } from '../validate/index.js';
import { validationText } from './validation-text.js';

const header =
  'id,source,framework,model,params_B,layers,hidden,heads,seq,accel,n_accel,tp,pp,micro_batch,global_batch_seqs,tflops_per_accel,printed_unit,grade';

test('a validation shows each row, the means by source, and what was skipped', () => {
  const rows = ['A', 'B', 'X'].map(
    (grade, i) => `r${i},paper,Megatron-LM,gpt,1.7,24,2304,24,2048,A100,32,1,1,16,512,137,tflops_per_accel,${grade}`,
  );
  const text = validationText(validateRows([header, ...rows].join('\n')));
  expect(text).toMatch(/r0 +A +tflops_per_accel +137 +[\d.]+ +[\d.]+ %/);
  expect(text).toMatch(/paper +1 +[\d.]+ %/);
  expect(text).toMatch(/throughput, A and A- +1 +[\d.]+ %/);
  expect(text).toMatch(/throughput, B +1 /);
  expect(text).toMatch(/throughput, C +0 +-/);
  expect(text).toMatch(/Skipped, 1 rows:\nr2 +grade X/);
});
