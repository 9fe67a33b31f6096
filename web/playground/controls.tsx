import type { Model, Settings } from './api';

export const INITIAL: Settings = { temperature: 0.8, topP: 1, maxTokens: 256, seed: undefined, system: '' };

export function ModelChoice(props: {
  readonly models: readonly Model[];
  readonly chosen: string;
  readonly onChoose: (id: string) => void;
}) {
  return (
    <label>
      Model or adapter
      <select value={props.chosen} onChange={(e) => props.onChoose(e.currentTarget.value)}>
        {props.models.map(({ id }) => (
          <option key={id} value={id}>
            {id}
          </option>
        ))}
      </select>
    </label>
  );
}

interface SettingsFormProps {
  readonly settings: Settings;
  readonly onChange: (settings: Settings) => void;
  /** Whether there is a system's turn to write. */
  readonly system?: boolean;
}

export function SettingsForm({ settings, onChange, system = false }: SettingsFormProps) {
  const number = (name: 'temperature' | 'topP' | 'maxTokens', label: string, rest: object) => (
    <label>
      {label}
      <input
        type="number"
        value={settings[name]}
        onChange={(e) => {
          const value = e.currentTarget.valueAsNumber;
          if (Number.isFinite(value)) onChange({ ...settings, [name]: value });
        }}
        {...rest}
      />
    </label>
  );
  return (
    <>
      {system && (
        <label>
          System
          <textarea
            rows={3}
            value={settings.system}
            placeholder="What the model should know and be"
            onInput={(e) => onChange({ ...settings, system: e.currentTarget.value })}
          />
        </label>
      )}
      {number('temperature', 'Temperature', { min: 0, max: 2, step: 0.1 })}
      {number('topP', 'Top p', { min: 0.01, max: 1, step: 0.01 })}
      {number('maxTokens', 'Tokens at most', { min: 1, step: 1 })}
      <label>
        Seed
        <input
          type="number"
          min={0}
          step={1}
          placeholder="a new one each time"
          value={settings.seed ?? ''}
          onChange={(e) => {
            const seed = e.currentTarget.valueAsNumber;
            onChange({ ...settings, seed: Number.isInteger(seed) ? seed : undefined });
          }}
        />
      </label>
    </>
  );
}
