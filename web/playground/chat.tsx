import { useEffect, useRef, useState } from 'preact/hooks';
import { chat, type Message, type Model } from './api';
import { Failure } from './app';
import { INITIAL, ModelChoice, SettingsForm } from './controls';
import { TokenText } from './token-text';
import { useWriting } from './writing';

export function Chat({ models }: { readonly models: readonly Model[] }) {
  const [model, setModel] = useState(models[0]!.id);
  const [settings, setSettings] = useState(INITIAL);
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [draft, setDraft] = useState('');
  const end = useRef<HTMLDivElement>(null);
  const { current, error, start, stop } = useWriting((content, tokens) =>
    setMessages((before) => [...before, { role: 'assistant', content, tokens }]),
  );
  useEffect(() => end.current?.scrollIntoView({ block: 'end' }), [current, messages]);
  const answer = (turns: readonly Message[]) => {
    setMessages(turns);
    void start((signal) => chat(model, turns, settings, signal));
  };
  const send = (event?: Event) => {
    event?.preventDefault();
    if (draft.trim() === '' || current) return;
    setDraft('');
    answer([...messages, { role: 'user', content: draft }]);
  };
  /** Takes the last answer back and asks for another. */
  const again = () => answer(messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1));
  return (
    <div class="columns">
      <section class="conversation" aria-label="Conversation">
        <div class="turns" aria-live="polite">
          {messages.length === 0 && !current && <p class="hint">Write to the model below.</p>}
          {messages.map((message, i) => (
            <article key={i} class={message.role}>
              <TokenText text={message.content} tokens={message.tokens ?? []} />
            </article>
          ))}
          {current && (
            <article class="assistant writing">
              <TokenText {...current} />
            </article>
          )}
          {error !== undefined && <Failure error={error} />}
          <div ref={end} />
        </div>
        <form class="draft" onSubmit={send}>
          <textarea
            aria-label="Your turn"
            rows={3}
            value={draft}
            placeholder="Enter sends, Shift and Enter begins a line"
            onInput={(e) => setDraft(e.currentTarget.value)}
            onKeyDown={(e) => {
              if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) send(e);
            }}
          />
          {current ? (
            <button type="button" onClick={stop}>
              Stop
            </button>
          ) : (
            <button type="submit">Send</button>
          )}
        </form>
      </section>
      <aside>
        <ModelChoice models={models} chosen={model} onChoose={setModel} />
        <SettingsForm settings={settings} onChange={setSettings} system />
        <div class="actions">
          <button type="button" disabled={current !== undefined || messages.length === 0} onClick={again}>
            Answer again
          </button>
          <button type="button" disabled={current !== undefined} onClick={() => setMessages([])}>
            New conversation
          </button>
        </div>
      </aside>
    </div>
  );
}
