// The search expression. Enter applies it; an error of the API stands in a line of its own, with its
// place in the expression.
import { useEffect, useState } from 'preact/hooks';

import type { ApiError } from '../api/client';
import { visibleText } from '../format/text';
import { Icon } from './icon';
import { Popover } from './popover';

interface Props {
  value: string;
  error: ApiError | null; // of the expression
  onChange: (q: string) => void;
}

const examples: [string, string][] = [
  ['10.0.0.5', 'any address, domain, process or host that contains it'],
  ['process_name:nginx', 'a field with a value'],
  ['server_port:443 direction:incoming', 'both (AND)'],
  ['method:GET OR method:HEAD', 'either'],
  ['-transport:udp', 'not (or NOT)'],
  ['client:10.0.0.5 server:nginx', 'one end by any of its names'],
  ['path:/api/*', '* stands for anything; in quotes it is itself'],
  ['status_code:5xx  bytes_read:>1000000', 'classes of status, comparisons'],
];

function Help({ onPick }: { onPick: (example: string) => void }) {
  return (
    <div class="search-help">
      <p class="panel-title">Search</p>
      <dl>
        {examples.map(([example, meaning]) => (
          <div key={example}>
            <dt>
              <button type="button" class="link mono" onClick={() => onPick(example)}>
                {example}
              </button>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

// The expression with the place of the error marked.
function Mistake({ q, error }: { q: string; error: ApiError }) {
  const characters = [...q];
  const at = error.position;
  return (
    <div class="search-error" id="search-error" role="alert" data-testid="search-error">
      <p>{visibleText(error.message)}</p>
      {at !== null && (
        <p class="mono" aria-hidden="true">
          {visibleText(characters.slice(0, at).join(''))}
          <mark>{visibleText(characters[at] ?? ' ')}</mark>
          {visibleText(characters.slice(at + 1).join(''))}
        </p>
      )}
    </div>
  );
}

export function SearchBox({ value, error, onChange }: Props) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = (q: string) => {
    setText(q);
    onChange(q.trim());
  };
  return (
    <>
      <form
        class={`search ${error ? 'invalid' : ''}`}
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          apply(text);
        }}
      >
        <Icon name="search" />
        <input
          type="search"
          data-testid="search"
          aria-label="Search expression"
          aria-invalid={error !== null}
          aria-describedby={error ? 'search-error' : undefined}
          placeholder="Search, for example process_name:nginx server_port:443"
          autocomplete="off"
          spellcheck={false}
          maxLength={1000}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && text !== '') apply('');
          }}
        />
        {text.trim() !== value && <span class="hint key-hint">Enter</span>}
        {value !== '' && (
          <button
            type="button"
            class="icon-button"
            title="Clear the search"
            aria-label="Clear the search"
            onClick={() => apply('')}
          >
            <Icon name="close" />
          </button>
        )}
        <Popover title="How to search" class="icon-button" label={<Icon name="help" />}>
          {(close) => (
            <Help
              onPick={(example) => {
                apply(example);
                close();
              }}
            />
          )}
        </Popover>
      </form>
      {error && <Mistake q={value} error={error} />}
    </>
  );
}
