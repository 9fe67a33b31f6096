import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { encode, input, scale } from '../../graph/index.js';
import { NodeEngine } from './engine.js';
import { isRefusal, UNRETURNED, withUnreturned } from './unreturned.js';

const doubled = encode({ y: scale(input('x', [3]), 2) }, 'cpu');

describe('the output that is not returned', () => {
  it('ends a run that has written its results, and is recognised', async () => {
    const session = await InferenceSession.create(withUnreturned(doubled.onnx));
    expect(session.outputNames).toEqual([UNRETURNED, 'y']);
    const y = new Float32Array(3);
    const feeds = { x: new Tensor('float32', Float32Array.of(1, 2, 3), [3]) };
    const run = session.run(feeds, { [UNRETURNED]: null, y: new Tensor('float32', y, [3]) });
    // A version that returns sequences fulfils instead, which serves as well.
    const outcome = await run.then(
      () => true,
      (error: unknown) => isRefusal(error),
    );
    expect(outcome).toBe(true);
    expect([...y]).toEqual([2, 4, 6]);
    await session.release();
  });

  it('hides no other failure', async () => {
    expect(isRefusal(new Error('Non-zero status code returned while running MatMul node.'))).toBe(false);
    expect(isRefusal('Non tensor type is temporarily not supported.')).toBe(false);
    const session = await new NodeEngine().compile(doubled);
    const y = new Float32Array(3);
    const feeds = { x: Float32Array.of(1, 2, 3) };
    expect(await session.run(feeds, { y })).toEqual({ y: Float32Array.of(2, 4, 6) });
    await session.dispose();
    await expect(session.run(feeds, { y })).rejects.toThrow();
  });
});
