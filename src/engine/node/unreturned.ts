import { create, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';

/*
 * ONNX Runtime's Node binding hands every output that was asked for back as a new array, those as well that it has
 * already written into an array of ours: 3 MB cost 1.3 ms of copying, page faults and later garbage collection, several
 * times a step. It makes those arrays one by one once the run is done, and refuses an output that is no tensor. So each
 * program gets an empty sequence as its first output. A run that asks for it computes everything, writes into our arrays,
 * and ends with that refusal before anything is copied. Were a later version to hand sequences back, nothing would
 * change but the time.
 */

/** The name of the output that stops the binding from copying. */
export const UNRETURNED = 'unreturned';

const REFUSAL = 'Non tensor type is temporarily not supported.';

const sequence = toBinary(
  ModelProtoSchema,
  create(ModelProtoSchema, {
    graph: {
      node: [{ opType: 'SequenceEmpty', name: UNRETURNED, output: [UNRETURNED] }],
      output: [
        {
          name: UNRETURNED,
          type: {
            value: {
              case: 'sequenceType',
              value: { elemType: { value: { case: 'tensorType', value: { elemType: TensorProto_DataType.FLOAT } } } },
            },
          },
        },
      ],
    },
  }),
);

/** The same model with the extra output before its own. Messages in protobuf's encoding merge when joined. */
export function withUnreturned(onnx: Uint8Array): Uint8Array {
  return Buffer.concat([sequence, onnx]);
}

/** True for what a run throws that was asked for {@link UNRETURNED} and has done all its work. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message === REFUSAL;
}
