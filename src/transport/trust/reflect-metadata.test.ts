import { expect, test } from 'vitest';
import { provideReflectMetadata } from './reflect-metadata.js';

test('notes are kept beside a class and found from those derived of it', () => {
  provideReflectMetadata();
  const reflect = Reflect as unknown as Record<string, (...args: unknown[]) => unknown>;
  class Base {}
  class Derived extends Base {}
  reflect.defineMetadata!('key', 7, Base);
  expect(reflect.getOwnMetadata!('key', Base)).toBe(7);
  expect(reflect.getMetadata!('key', Derived)).toBe(7);
  expect(reflect.getOwnMetadata!('key', Derived)).toBeUndefined();
  expect(reflect.getMetadata!('other', Derived)).toBeUndefined();
  const { getMetadata } = reflect;
  provideReflectMetadata();
  expect(reflect.getMetadata).toBe(getMetadata);
});
