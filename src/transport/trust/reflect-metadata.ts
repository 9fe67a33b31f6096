/**
 * The part of the Reflect metadata proposal that `@peculiar/x509` wants to find when it is loaded: notes kept beside a
 * class. Call it before that package is imported; a polyfill that is there already is left alone.
 */
export function provideReflectMetadata(): void {
  const reflect = Reflect as typeof Reflect & Partial<Metadata>;
  if (reflect.getMetadata) return;
  const notes = new WeakMap<object, Map<unknown, unknown>>();
  const own = (key: unknown, target: object) => notes.get(target)?.get(key);
  const metadata: Metadata = {
    defineMetadata(key, value, target) {
      const kept = notes.get(target) ?? new Map<unknown, unknown>();
      kept.set(key, value);
      notes.set(target, kept);
    },
    getOwnMetadata: own,
    getMetadata(key, target) {
      for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
        const value = own(key, at);
        if (value !== undefined) return value;
      }
      return undefined;
    },
  };
  Object.assign(reflect, metadata);
}

interface Metadata {
  defineMetadata(key: unknown, value: unknown, target: object): void;
  getOwnMetadata(key: unknown, target: object): unknown;
  getMetadata(key: unknown, target: object): unknown;
}
