/** To a thread: a command with its number, or `cancel` without one, which ends `train` after the step in progress. */
export type ToThread =
  | { readonly id: number; readonly name: string; readonly input: unknown }
  | { readonly name: 'cancel' };

/** From a thread, one or a list of several: a step of `train`, then the answer, or what went wrong. */
export type FromThread<S> =
  | { readonly id: number; readonly step: S }
  | { readonly id: number; readonly output: unknown }
  | {
      readonly id: number;
      /** `forUser`: it is a {@link MeanfieldError}; `usage`: one of what was asked for, a {@link UsageError}. */
      readonly error: {
        readonly message: string;
        readonly stack: string | undefined;
        readonly forUser: boolean;
        readonly usage?: boolean;
      };
    };

/** The buffers of all Float32Arrays, and of Uint8Arrays and Uint16Arrays that have one to themselves, in a message: to be moved with it. */
export function buffersOf(message: unknown): ArrayBuffer[] {
  if (message instanceof Float32Array) return [message.buffer as ArrayBuffer];
  if (message instanceof Uint8Array || message instanceof Uint16Array) {
    return message.byteLength === message.buffer.byteLength ? [message.buffer as ArrayBuffer] : [];
  }
  if (typeof message !== 'object' || message === null) return [];
  return Object.values(message).flatMap(buffersOf);
}
