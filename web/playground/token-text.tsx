import { useState } from 'preact/hooks';
import type { Token } from './api';

/** Tokens that make whole characters together: where a character is several tokens, they are shown as one. */
interface Shown {
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** Bytes of the longest character. */
const LONGEST = 4;

function shown(tokens: readonly Token[]): readonly Shown[] {
  const groups: Shown[] = [];
  let open: Token[] = [];
  for (const token of tokens) {
    open.push(token);
    const bytes = Uint8Array.from(open.flatMap(({ bytes }) => bytes));
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    // Perhaps a part of a character, of which the next token has the rest.
    if (text.endsWith('\uFFFD') && bytes.length < LONGEST) continue;
    groups.push({ text, tokens: open });
    open = [];
  }
  return groups;
}

const percent = (logprob: number) => `${(100 * Math.exp(logprob)).toFixed(1)} %`;
const visible = (text: string) => text.replaceAll('\n', '↵').replaceAll(' ', '␣') || '∅';

/** A text whose tokens tell on hover how likely they were, and what else was. Pale where the model was unsure. */
export function TokenText({ text, tokens }: { readonly text: string; readonly tokens: readonly Token[] }) {
  const [at, setAt] = useState<number>();
  const groups = shown(tokens);
  // What was cut off, such as a text that ends an answer, has tokens but no place in the text.
  let length = 0;
  const within = groups.filter((group) => (length += group.text.length) <= text.length);
  const covered = within.reduce((sum, group) => sum + group.text.length, 0);
  if (within.map((group) => group.text).join('') !== text.slice(0, covered)) return <span class="text">{text}</span>;
  const told = at === undefined ? undefined : within[at];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: its title tells readers of screens
    <span class="text" onMouseLeave={() => setAt(undefined)}>
      {within.map((group, i) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: its title tells readers of screens
        <span
          key={i}
          class="token"
          title={group.tokens.map((token) => percent(token.logprob)).join(', ')}
          style={{ '--sure': Math.exp(Math.min(...group.tokens.map(({ logprob }) => logprob))) }}
          onMouseEnter={() => setAt(i)}
        >
          {group.text}
          {told === group && <Alternatives tokens={group.tokens} />}
        </span>
      ))}
      {text.slice(covered)}
    </span>
  );
}

function Alternatives({ tokens }: { readonly tokens: readonly Token[] }) {
  return (
    <span class="alternatives" role="tooltip">
      {tokens.map((token, i) => (
        <table key={i}>
          <tbody>
            {rows(token).map(({ text, logprob, taken }) => (
              <tr key={text} class={taken ? 'taken' : ''}>
                <td>
                  <code>{visible(text)}</code>
                </td>
                <td>{percent(logprob)}</td>
                <td>
                  <span class="bar" style={{ width: `${6 * Math.exp(logprob)}em` }} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </span>
  );
}

/** The likeliest, and the one that was taken where it is none of them. */
function rows({ text, logprob, top }: Token) {
  const likeliest = top.map((one) => ({ ...one, taken: one.text === text }));
  return likeliest.some(({ taken }) => taken) ? likeliest : [...likeliest, { text, logprob, taken: true }];
}
