import { useState } from 'preact/hooks';
import { complete, type Model, type Piece } from './api';
import { Failure } from './app';
import { INITIAL, ModelChoice, SettingsForm } from './controls';
import { TokenText } from './token-text';
import { useWriting } from './writing';

export function Continue({ models }: { readonly models: readonly Model[] }) {
  const [model, setModel] = useState(models[0]!.id);
  const [settings, setSettings] = useState(INITIAL);
  const [prompt, setPrompt] = useState('');
  const [written, setWritten] = useState<Piece>();
  const { current, error, start, stop } = useWriting((text, tokens) => setWritten({ text, tokens }));
  const begin = (from: string) => {
    setPrompt(from);
    setWritten(undefined);
    void start((signal) => complete(model, from, settings, signal));
  };
  const shown = current ?? written;
  return (
    <div class="columns">
      <section>
        <textarea
          aria-label="Text to continue"
          rows={8}
          value={prompt}
          placeholder="The beginning of a text"
          onInput={(e) => setPrompt(e.currentTarget.value)}
        />
        <div class="actions">
          {current ? (
            <button type="button" onClick={stop}>
              Stop
            </button>
          ) : (
            <button type="button" onClick={() => begin(prompt)}>
              Continue
            </button>
          )}
          <button type="button" disabled={!written || !!current} onClick={() => begin(prompt + written!.text)}>
            Keep, and go on
          </button>
        </div>
        {shown && (
          <article class={current ? 'assistant writing' : 'assistant'} aria-live="polite">
            <TokenText text={shown.text} tokens={shown.tokens} />
          </article>
        )}
        {error !== undefined && <Failure error={error} />}
      </section>
      <aside>
        <ModelChoice models={models} chosen={model} onChoose={setModel} />
        <SettingsForm settings={settings} onChange={setSettings} />
      </aside>
    </div>
  );
}
