/*
 * What an optimiser keeps from one step to the next, in few bits.
 */
import { apply1, formatShape, type Operator, type Tensor } from '../tensor.js';
import { ONNX_TYPE as DataType, float32 } from './rules.js';

export const moments = {
  narrowBfloat16: {
    name: 'narrowBfloat16',
    infer: ([x, noise]) => {
      const { shape } = float32('narrowBfloat16', x!);
      if (noise!.dtype !== 'uint16' || formatShape(noise!.shape) !== formatShape(shape))
        throw new Error(
          `narrowBfloat16: expected uint16 noise ${formatShape(shape)}, got ${noise!.dtype} ${formatShape(noise!.shape)}`,
        );
      return [{ shape, dtype: 'uint16' }];
    },
    lower: {
      // A carry out of the lower half goes into the upper one, whatever the sign. Sums of uint32 are not on the CPU.
      onnx: (e, _node, [x, noise]) => {
        const late = { since: 26n };
        const [bits] = e.emit('BitCast', [x!], { to: DataType.INT32 }, late);
        const [chance] = e.emit('Cast', [noise!], { to: DataType.INT32 });
        const [sum] = e.emit('Add', [bits!, chance!]);
        const [unsigned] = e.emit('BitCast', [sum!], { to: DataType.UINT32 }, late);
        const [places] = e.emit('Cast', [e.constant(Int32Array.of(16), [])], { to: DataType.UINT32 });
        const [upper] = e.emit('BitShift', [unsigned!, places!], { direction: 'RIGHT' });
        return e.emit('Cast', [upper!], { to: DataType.UINT16 });
      },
    },
  },
} satisfies Record<string, Operator>;

/**
 * The bits of x as bfloat16, rounded by chance: up in size where the lower half of its bits and the noise come to 2¹⁶ or
 * more. Noise that is as likely one number as another makes the mean of what comes out x itself.
 *
 * @param noise uint16, of x's shape
 */
export const narrowBfloat16 = (x: Tensor, noise: Tensor): Tensor => apply1(moments.narrowBfloat16, [x, noise]);
