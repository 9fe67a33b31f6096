import { useEffect, useState } from 'preact/hooks';
import { ApiError, keepKey, listModels, type Model } from './api';
import { Chat } from './chat';
import { Continue } from './continue';
import { Moderation } from './moderation';
import { Similarity } from './similarity';

/** What can be done here, and the task of the models that do it. */
const VIEWS = [
  { name: 'chat', title: 'Chat', task: 'complete', View: Chat },
  { name: 'continue', title: 'Continue', task: 'complete', View: Continue },
  { name: 'similarity', title: 'Similarity', task: 'embed', View: Similarity },
  { name: 'moderation', title: 'Moderation', task: 'classify', View: Moderation },
] as const;

/** Whether a model does a task, as far as is known. */
const canDo =
  (task: string) =>
  ({ tasks }: Model) =>
    tasks?.includes(task) ?? true;

/** The view that the address names, so that it can be linked to and the browser's way back works. */
function useView(): string {
  const [hash, setHash] = useState(location.hash.slice(1));
  useEffect(() => {
    const change = () => setHash(location.hash.slice(1));
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return hash;
}

export function App() {
  const [models, setModels] = useState<readonly Model[]>();
  const [error, setError] = useState<unknown>();
  const load = async () => {
    try {
      setModels(await listModels());
      setError(undefined);
    } catch (failure) {
      setError(failure);
    }
  };
  useEffect(() => void load(), []);
  const named = useView();
  if (error instanceof ApiError && error.status === 401) return <KeyForm onKey={load} />;
  if (error) return <Failure error={error} />;
  if (!models) return <p class="hint">Asking for the models…</p>;
  const possible = VIEWS.filter(({ task }) => models.some(canDo(task)));
  const view = possible.find(({ name }) => name === named) ?? possible[0];
  if (!view) return <p class="hint">The server has no model.</p>;
  return (
    <>
      <header>
        <h1>Meanfield</h1>
        <nav>
          {possible.map(({ name, title }) => (
            <a key={name} href={`#${name}`} aria-current={name === view.name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      <main>
        <view.View key={view.name} models={models.filter(canDo(view.task))} />
      </main>
    </>
  );
}

function KeyForm({ onKey }: { readonly onKey: () => void }) {
  const [key, setKey] = useState('');
  const send = (event: Event) => {
    event.preventDefault();
    keepKey(key);
    onKey();
  };
  return (
    <form class="key" onSubmit={send}>
      <label>
        API key
        <input type="password" autocomplete="off" value={key} onInput={(e) => setKey(e.currentTarget.value)} />
      </label>
      <button type="submit">Go on</button>
      <p class="hint">This server wants its key. It is kept until this tab is closed.</p>
    </form>
  );
}

export function Failure({ error }: { readonly error: unknown }) {
  return (
    <p class="error" role="alert">
      {error instanceof Error ? error.message : String(error)}
    </p>
  );
}
