// The summary: quick filters on the left, trends above, network paths below.
import { apiUrl } from '../../api/client';
import type { SummaryAnswer } from '../../api/types';
import { useQuery } from '../../api/use_query';
import { questionOf, shapeOf, useReport, type ScreenProps } from '../screen';
import { Facets } from './facets';
import { defaultSort, Paths } from './paths';
import { Trends } from './trends';

const rowLimit = 200;

export function SummaryScreen(props: ScreenProps) {
  const { state, tick } = props;
  const params = { ...questionOf(state), sort: state.sort || defaultSort[state.layer] };
  const url = apiUrl('summary', { ...params, limit: rowLimit });
  const { data, error, loading, retry } = useQuery<SummaryAnswer>(url, shapeOf(state), tick);
  useReport(props, data, error, loading);
  return (
    <>
      <aside class="filters" aria-label="Quick filters">
        <Facets {...props} />
      </aside>
      <div class="content">
        <Trends {...props} totals={data?.totals ?? null} />
        <Paths screen={props} answer={data} error={error} retry={retry} params={params} />
      </div>
    </>
  );
}
