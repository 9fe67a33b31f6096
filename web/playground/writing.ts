import { useRef, useState } from 'preact/hooks';
import type { Piece, Token } from './api';

/** A text that is being written: what there is of it, and how to begin and stop it. */
export interface Writing {
  /** Undefined while nothing is written. */
  readonly current: { readonly text: string; readonly tokens: readonly Token[] } | undefined;
  readonly error: unknown;
  start(pieces: (signal: AbortSignal) => AsyncIterable<Piece>): Promise<void>;
  stop(): void;
}

/** @param onEnd what to do with the whole, or with what there is when it was stopped */
export function useWriting(onEnd: (text: string, tokens: readonly Token[]) => void): Writing {
  const [current, setCurrent] = useState<Writing['current']>();
  const [error, setError] = useState<unknown>();
  const stopping = useRef<AbortController | undefined>(undefined);
  const start: Writing['start'] = async (pieces) => {
    const { signal } = (stopping.current = new AbortController());
    let text = '';
    let tokens: readonly Token[] = [];
    setError(undefined);
    setCurrent({ text, tokens });
    try {
      for await (const piece of pieces(signal)) {
        text += piece.text;
        tokens = [...tokens, ...piece.tokens];
        setCurrent({ text, tokens });
      }
    } catch (failure) {
      if (!signal.aborted) setError(failure);
    }
    setCurrent(undefined);
    if (text !== '') onEnd(text, tokens);
  };
  return { current, error, start, stop: () => stopping.current?.abort() };
}
