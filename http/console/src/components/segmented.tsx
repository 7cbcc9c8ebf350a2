// A few choices side by side, one of them chosen.

export interface Choice<T extends string> {
  id: T;
  title: string;
  hint?: string;
  testid?: string;
}

interface Props<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  value: T | null;
  onChange: (id: T) => void;
}

export function Segmented<T extends string>({ label, choices, value, onChange }: Props<T>) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {choices.map((choice) => (
        <button
          key={choice.id}
          type="button"
          aria-pressed={choice.id === value}
          title={choice.hint}
          data-testid={choice.testid}
          onClick={() => onChange(choice.id)}
        >
          {choice.title}
        </button>
      ))}
    </div>
  );
}
