// How much of what happened the answer on screen knows: the coverage badge, the resolution badge and
// the range as the server understood it.
import { apiUrl } from '../api/client';
import type { Answer, StatusAnswer } from '../api/types';
import { useQuery } from '../api/use_query';
import { formatCount, formatShare } from '../format/number';
import { formatMoment, formatRange } from '../format/time';
import { visibleText } from '../format/text';
import { Icon } from './icon';
import { Popover } from './popover';

function Lost({ lost }: { lost: [string, number][] }) {
  const { data } = useQuery<StatusAnswer>(apiUrl('status'), 'status', 0);
  const meaning = (reason: string) => data?.losses.find((loss) => loss.reason === reason)?.description;
  if (lost.length === 0) return <p>Nothing is known to be missing in this range.</p>;
  return (
    <table class="facts">
      <caption>Missed in this range</caption>
      <tbody>
        {lost.map(([reason, count]) => (
          <tr key={reason}>
            <th scope="row">
              {visibleText(reason)}
              <small>{visibleText(meaning(reason) ?? '')}</small>
            </th>
            <td class="number">{formatCount(count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Reconciled({ answer }: { answer: Answer }) {
  const rows = Object.entries(answer.coverage.reconciled ?? {});
  if (rows.length === 0) return null;
  return (
    <table class="facts">
      <caption>Against the kernel's own counters</caption>
      <thead>
        <tr>
          <th scope="col">Counter</th>
          <th scope="col" class="number">
            Kernel
          </th>
          <th scope="col" class="number">
            Seen
          </th>
          <th scope="col" class="number">
            Share
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([counter, { kernel, seen }]) => (
          <tr key={counter}>
            <th scope="row">{visibleText(counter)}</th>
            <td class="number">{formatCount(kernel)}</td>
            <td class="number">{formatCount(seen)}</td>
            <td class="number">{kernel > 0 ? formatShare(seen / kernel) : '–'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function CoverageBadges({ answer }: { answer: Answer | null }) {
  if (!answer) return <div class="badges" />;
  const lost = Object.entries(answer.coverage.lost).filter(([, count]) => count > 0);
  const total = lost.reduce((sum, [, count]) => sum + count, 0);
  const complete = answer.coverage.complete;
  return (
    <div class="badges">
      <span class="range-shown" title={`${formatMoment(answer.from)} – ${formatMoment(answer.to)}`}>
        {formatRange(answer.from, answer.to)}
      </span>
      <span
        class="badge"
        data-testid="resolution"
        title={answer.resolution === 'detail' ? 'From detail records' : 'From minute rollups'}
      >
        {answer.resolution}
      </span>
      <Popover
        title={complete ? 'Coverage: complete' : `Coverage: ${formatCount(total)} lost`}
        testid="coverage"
        class={`badge action ${complete ? 'ok' : 'warn'}`}
        label={
          <>
            <Icon name={complete ? 'check' : 'alert'} />
            {complete ? 'complete' : `${formatCount(total)} lost`}
          </>
        }
      >
        {() => (
          <div class="coverage-panel">
            <Lost lost={lost} />
            <Reconciled answer={answer} />
          </div>
        )}
      </Popover>
    </div>
  );
}
