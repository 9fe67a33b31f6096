import { Environment } from '@huggingface/jinja';

interface Value {
  readonly value: unknown;
}
type Method = (args: readonly Value[]) => Value;
type ValueClass<T> = new (value: T) => Value;

/** Which ends of a text a method strips. */
const ENDS = { strip: [true, true], lstrip: [true, false], rstrip: [false, true] } as const;

let corrected = false;

/**
 * Makes `strip`, `lstrip` and `rstrip` of texts in `@huggingface/jinja` take the characters to strip, as Python's do: the
 * library strips all blanks whatever it is given, and templates such as Qwen 3's strip line feeds alone.
 */
export function correctStrip(): void {
  if (corrected) return;
  corrected = true;
  const prototype = Object.getPrototypeOf(new Environment().set('text', '')) as {
    constructor: ValueClass<string>;
  };
  const builtins = Object.getOwnPropertyDescriptor(prototype, 'builtins')!.get! as () => Map<string, Value>;
  const done = new WeakSet<Map<string, Value>>();
  Object.defineProperty(prototype, 'builtins', {
    get(this: Value): Map<string, Value> {
      const methods = builtins.call(this);
      if (done.has(methods)) return methods;
      done.add(methods);
      for (const [name, ends] of Object.entries(ENDS)) {
        const plain = methods.get(name)!;
        const MethodValue = plain.constructor as ValueClass<Method>;
        const method: Method = (args) => {
          const characters = args[0]?.value;
          if (typeof characters !== 'string') return (plain.value as Method)(args);
          return new prototype.constructor(stripped(String(this.value), [...characters], ends));
        };
        methods.set(name, new MethodValue(method));
      }
      return methods;
    },
  });
}

function stripped(text: string, characters: readonly string[], [left, right]: readonly [boolean, boolean]): string {
  const points = [...text];
  let [start, end] = [0, points.length];
  while (left && start < end && characters.includes(points[start]!)) start++;
  while (right && end > start && characters.includes(points[end - 1]!)) end--;
  return points.slice(start, end).join('');
}
