import { useState } from 'preact/hooks';
import { type Model, moderate } from './api';
import { Failure } from './app';
import { ModelChoice } from './controls';
import { useLive } from './live';

export function Moderation({ models }: { readonly models: readonly Model[] }) {
  const [model, setModel] = useState(models[0]!.id);
  const [text, setText] = useState('');
  const { answer, error } = useLive(text.trim() === '' ? '' : `${model}\n${text}`, (signal) =>
    moderate(model, text, signal),
  );
  return (
    <div class="columns">
      <section>
        <textarea
          aria-label="Text to judge"
          rows={4}
          value={text}
          placeholder="Judged as you type"
          onInput={(e) => setText(e.currentTarget.value)}
        />
        {error !== undefined && <Failure error={error} />}
        {answer && (
          <table class="categories" aria-live="polite">
            <tbody>
              {answer.map(({ category, score, flagged }) => (
                <tr key={category} class={flagged ? 'flagged' : ''}>
                  <th scope="row">{category}</th>
                  <td>{(100 * score).toFixed(1)} %</td>
                  <td>
                    <span class="bar" style={{ width: `${16 * score}em` }} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <aside>
        <ModelChoice models={models} chosen={model} onChoose={setModel} />
        <p class="hint">The labels of the model's classifier, with their probabilities.</p>
      </aside>
    </div>
  );
}
