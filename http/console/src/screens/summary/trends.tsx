// The analysis charts: the trend of each measure over the range.
import { useState } from 'preact/hooks';

import { apiUrl } from '../../api/client';
import type { Measures, SeriesAnswer, StatusAnswer } from '../../api/types';
import { useQuery } from '../../api/use_query';
import { ErrorNotice } from '../../components/notice';
import { stepFor } from '../../charts/step';
import { TrendChart, TrendPlace } from '../../charts/trend';
import { formatDayAndClock, formatSpan } from '../../format/time';
import { charts } from '../../model/measures';
import { effectiveRange, rangeSeconds } from '../../state/url';
import { questionOf, shapeOf, type ScreenProps } from '../screen';

const usualInterval = 10;

// Seconds; null while it is not known yet.
function useInterval(): number | null {
  const { data, error } = useQuery<StatusAnswer>(apiUrl('status'), 'status', 0);
  if (data && data.interval_ms >= 1000) return Math.round(data.interval_ms / 1000);
  return data || error ? usualInterval : null;
}

export function Trends({ state, navigate, tick, totals }: ScreenProps & { totals: Measures | null }) {
  const [cursor, setCursor] = useState<number | null>(null);
  const interval = useInterval();
  const step = stepFor(rangeSeconds(effectiveRange(state)), interval ?? usualInterval);
  const specs = charts[state.layer];
  const metrics = specs.flatMap((spec) => spec.metrics).join(',');
  const url = interval === null ? null : apiUrl('series', { ...questionOf(state), metrics, step: `${step}s` });
  const { data, error, retry } = useQuery<SeriesAnswer>(url, shapeOf(state), tick);

  // An error of the search stands under the search box and in the table's place.
  if (error) return error.field === 'q' ? null : <ErrorNotice error={error} retry={retry} />;
  return (
    <section class="trends" aria-label="Trends">
      <h2>
        Trends
        <small>
          {cursor === null
            ? `the whole range, in steps of ${formatSpan(data ? data.step / 1000 : step)}; drag over a chart to look closer`
            : formatDayAndClock(cursor)}
        </small>
      </h2>
      <div class="charts">
        {specs.map((spec) =>
          data ? (
            <TrendChart
              key={spec.metrics.join()}
              spec={spec}
              series={data.data}
              totals={totals}
              from={data.from}
              to={data.to}
              onZoom={(from, to) => navigate({ range: { from, to } })}
              onCursor={setCursor}
            />
          ) : (
            <TrendPlace key={spec.metrics.join()} spec={spec} />
          ),
        )}
      </div>
    </section>
  );
}
