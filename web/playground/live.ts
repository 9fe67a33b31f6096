import { useEffect, useState } from 'preact/hooks';

/** How long a text rests before it is asked about, in milliseconds. */
const REST = 150;

/**
 * What the server says of something that changes as one types: the answer to the newest question alone, and the last one
 * until that comes.
 *
 * @param key what is asked; '' asks nothing
 */
export function useLive<Answer>(
  key: string,
  ask: (signal: AbortSignal) => Promise<Answer>,
): { readonly answer: Answer | undefined; readonly error: unknown } {
  const [state, setState] = useState<{ answer: Answer | undefined; error: unknown }>({
    answer: undefined,
    error: undefined,
  });
  // The key says when the question is another.
  useEffect(() => {
    if (key === '') {
      setState({ answer: undefined, error: undefined });
      return;
    }
    const leaving = new AbortController();
    const timer = setTimeout(() => {
      ask(leaving.signal).then(
        (answer) => setState({ answer, error: undefined }),
        (error: unknown) => {
          if (!leaving.signal.aborted) setState(({ answer }) => ({ answer, error }));
        },
      );
    }, REST);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [key]);
  return state;
}
