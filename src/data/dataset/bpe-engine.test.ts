import { expect, it } from 'vitest';
import { trainBpe } from '../tokenizers/train-bpe.js';
import { BpeEngine } from './bpe-engine.js';

const segment = (start: number) => ({ start, source: 's', offset: 0, opens: false });

it('counts words within documents, then encodes with what was made of them', () => {
  const engine = new BpeEngine();
  // The border between two documents parts a word.
  const batch = { bytes: Buffer.from('abababxab'), segments: [segment(0), segment(6)] };
  expect(engine.handle({ type: 'count', batch })).toEqual({ done: true });
  const answer = engine.handle({ type: 'counts' });
  if (!('counts' in answer)) throw new Error('no counts');
  expect([...answer.counts.ends]).toEqual([6, 9]);
  expect(engine.handle({ type: 'counts' })).toMatchObject({ counts: { ends: new Uint32Array(0) } });

  expect(() => engine.handle({ type: 'encode', batch })).toThrow(/before a tokenizer/);
  engine.handle({ type: 'model', model: trainBpe(answer.counts, { vocabularySize: 257, special: [] }) });
  // ab is token 256; x is the 88th printable character.
  expect(engine.handle({ type: 'encode', batch })).toEqual({ ids: Uint32Array.of(256, 256, 256, 87, 256) });
});
