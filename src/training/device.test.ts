import { expect, it } from 'vitest';
import { INSTALL_CUDA, openEngine, resolveDevice } from './device.js';

it('takes the CPU where the choice is left to it, and never CUDA', () => {
  expect(resolveDevice('auto', () => true)).toBe('cpu');
  expect(resolveDevice('cpu')).toBe('cpu');
  expect(resolveDevice('webgpu')).toBe('webgpu');
  expect(resolveDevice('cuda', () => true)).toBe('cuda');
});

it('says how to install what CUDA needs', () => {
  expect(() => resolveDevice('cuda', () => false)).toThrow(INSTALL_CUDA);
});

it('opens an engine', async () => {
  const engine = await openEngine('cpu');
  expect([engine.name, engine.target, engine.views]).toEqual(['onnxruntime-node/cpu', 'cpu', true]);
});
