import { useState } from 'preact/hooks';
import { embed, type Model } from './api';
import { Failure } from './app';
import { ModelChoice } from './controls';
import { useLive } from './live';

const EXAMPLE = `A cat sits on the mat.
There is a cat on the rug.
The stock market fell today.`;

/** The cosine of the angle between two vectors. */
function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

export function Similarity({ models }: { readonly models: readonly Model[] }) {
  const [model, setModel] = useState(models[0]!.id);
  const [text, setText] = useState(EXAMPLE);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const { answer, error } = useLive(lines.length === 0 ? '' : `${model}\n${lines.join('\n')}`, async (signal) => ({
    lines,
    vectors: await embed(model, lines, signal),
  }));
  return (
    <div class="columns">
      <section>
        <textarea
          aria-label="Texts, one a line"
          rows={8}
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
        {error !== undefined && <Failure error={error} />}
        {answer && (
          <div class="wide">
            <table class="similarity">
              <caption>Cosine between the vectors of two lines: 1 where they mean the same.</caption>
              <thead>
                <tr>
                  <th />
                  {answer.lines.map((line, i) => (
                    <th key={i} scope="col" title={line}>
                      {i + 1}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {answer.vectors.map((row, i) => (
                  <tr key={i}>
                    <th scope="row" title={answer.lines[i]}>
                      {i + 1}. {answer.lines[i]}
                    </th>
                    {answer.vectors.map((column, j) => {
                      const value = cosine(row, column);
                      return (
                        <td key={j} style={{ '--alike': Math.max(0, value) }}>
                          {value.toFixed(2)}
                        </td>
                      );
                    })}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <aside>
        <ModelChoice models={models} chosen={model} onChoose={setModel} />
        <p class="hint">Paste texts, one a line.</p>
      </aside>
    </div>
  );
}
