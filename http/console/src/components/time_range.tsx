// The time widget: the built-in ranges, and a custom one between two moments.
import { useState } from 'preact/hooks';

import { ranges } from '../model/catalog';
import { formatRange, fromInputValue, toInputValue } from '../format/time';
import { rangeSeconds, type Range } from '../state/url';
import { Icon } from './icon';
import { Popover } from './popover';
import { Segmented } from './segmented';

interface Props {
  range: Range;
  onChange: (range: Range) => void;
}

function CustomRange({ range, onChange }: Props) {
  const now = Date.now();
  const initial = 'from' in range ? range : { from: now - rangeSeconds(range) * 1000, to: now };
  const [from, setFrom] = useState(toInputValue(initial.from));
  const [to, setTo] = useState(toInputValue(initial.to));
  const begin = fromInputValue(from);
  const end = fromInputValue(to);
  const valid = begin !== null && end !== null && begin < end;
  const apply = (event: Event) => {
    event.preventDefault();
    if (valid) onChange({ from: begin, to: end });
  };
  return (
    <form class="custom-range" onSubmit={apply}>
      <label>
        From
        <input type="datetime-local" step="1" value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
      </label>
      <label>
        To
        <input type="datetime-local" step="1" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      <p class="hint" role="status">
        {valid ? 'Times are in your time zone.' : 'The range must begin before it ends.'}
      </p>
      <button type="submit" class="button primary" disabled={!valid}>
        Apply
      </button>
    </form>
  );
}

export function TimeRange({ range, onChange }: Props) {
  const custom = 'from' in range;
  return (
    <div class="time-range" data-testid="time-range">
      <Segmented
        label="Time range"
        choices={ranges.map(({ id, title }) => ({ id, title, hint: `The last ${title}`, testid: `range-${id}` }))}
        value={custom ? null : range.last}
        onChange={(last) => onChange({ last })}
      />
      <Popover
        title="Custom time range"
        testid="range-custom"
        class={`button ${custom ? 'chosen' : ''}`}
        label={
          <>
            <Icon name="clock" />
            <span class="wide-only">{custom ? formatRange(range.from, range.to) : 'Custom'}</span>
          </>
        }
      >
        {(close) => (
          <CustomRange
            range={range}
            onChange={(chosen) => {
              onChange(chosen);
              close();
            }}
          />
        )}
      </Popover>
    </div>
  );
}
