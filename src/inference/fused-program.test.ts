import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { Model } from '../model/model.js';
import { traceFused } from './fused-program.js';
import { weightsIn } from './weights.js';

it.each([
  ['llama', 'SkipSimplifiedLayerNormalization', 'SimplifiedLayerNormalization'],
  ['gpt2', 'SkipLayerNormalization', 'LayerNormalization'],
])('adds to the residual stream of a %s and normalises it in one node', (family, fused, plain) => {
  const model = Model.create(family, { layers: 3, width: 32, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 20 });
  const weights = weightsIn('int8', model, model.layout.views(model.layout.initialize(new Random(1))));
  const { graph } = fromBinary(ModelProtoSchema, traceFused(model, { weights }, 'cpu').onnx);
  const count = (type: string) => graph!.node.filter(({ opType }) => opType === type).length;
  // Two a layer, and one before the head; that before the first layer has no sum of two such shapes to take in.
  expect([count(fused), count(plain)]).toEqual([6, 1]);
});
