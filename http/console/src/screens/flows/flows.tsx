// The flows: records newest first under a histogram, paged by cursor, refreshed by themselves while
// nobody is reading further down.
import { useEffect, useRef, useState } from 'preact/hooks';

import type { FlowRecord, FlowsAnswer } from '../../api/types';
import { Histogram, HistogramPlace } from '../../charts/histogram';
import { ColumnChooser, useColumns } from '../../components/columns';
import { DataTable, type Column } from '../../components/data_table';
import { ExportLinks } from '../../components/export_links';
import { Icon } from '../../components/icon';
import { EmptyNotice, ErrorNotice, Problem, Skeleton } from '../../components/notice';
import { Segmented } from '../../components/segmented';
import { flowColumns, recordKind, type RecordKind } from '../../model/fields';
import type { Navigate } from '../../state/location';
import { effectiveRange, rangeSeconds } from '../../state/url';
import { questionOf, shapeOf, useReport, type ScreenProps } from '../screen';
import { flowColumnsOf, timeColumn } from './cells';
import { RecordDetails } from './record';
import { usePages, type Pages } from './use_pages';

const pageSize = 100;
const exportLimit = 1000; // the most that the API gives at once
const refreshSeconds = 30;
const mostByScrolling = 2000; // rows; beyond, the page would only get slow

function useAutoRefresh(active: boolean, refresh: () => void) {
  const latest = useRef(refresh);
  latest.current = refresh;
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => {
      if (!document.hidden) latest.current();
    }, refreshSeconds * 1000);
    return () => clearInterval(timer);
  }, [active]);
}

function AutoRefresh({ paused, held, onToggle }: { paused: boolean; held: boolean; onToggle: () => void }) {
  const label = paused ? 'Paused' : held ? 'Waits while you read' : `Every ${refreshSeconds} s`;
  return (
    <button
      type="button"
      class="button auto-refresh"
      aria-pressed={!paused}
      title={paused ? `Refresh every ${refreshSeconds} seconds` : 'Pause the refresh'}
      data-testid="auto-refresh"
      onClick={onToggle}
    >
      <Icon name={paused ? 'play' : 'pause'} />
      {label}
    </button>
  );
}

interface MoreProps {
  available: boolean;
  loading: boolean;
  failed: boolean;
  byScrolling: boolean;
  load: () => void;
}

// Loads the next page when it comes into sight; the button is for keyboards and for going on.
function More({ available, loading, failed, byScrolling, load }: MoreProps) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef(load);
  latest.current = load;
  const watch = available && !loading && !failed && byScrolling;
  useEffect(() => {
    if (!watch || !place.current) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) latest.current();
    });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [watch]);
  return (
    <div class="more" ref={place}>
      {available ? (
        <button type="button" class="button" disabled={loading} onClick={load}>
          {loading ? 'Loading…' : 'Load older records'}
        </button>
      ) : (
        <span class="hint">That is all in this range.</span>
      )}
    </div>
  );
}

interface RecordsProps {
  kind: RecordKind;
  screen: ScreenProps;
  columns: Column<FlowRecord>[];
  records: FlowRecord[];
  more: Pages['more'];
  opened: Opened;
}

function Records({ kind, screen: { state, navigate }, columns, records, more, opened }: RecordsProps) {
  return (
    <DataTable
      label="Flow records"
      columns={columns}
      rows={records}
      rowKey={(_, index) => String(index)}
      testid={{ table: 'flows-table', row: 'flows-row' }}
      details={{
        ...opened,
        render: (record) => <RecordDetails kind={kind} q={state.q} record={record} navigate={navigate} />,
      }}
      after={
        <>
          {more.error && <ErrorNotice error={more.error} retry={more.load} />}
          <More
            available={more.available}
            loading={more.loading}
            failed={more.error !== null}
            byScrolling={records.length < mostByScrolling}
            load={more.load}
          />
        </>
      }
    />
  );
}

interface Opened {
  isOpen: (record: FlowRecord) => boolean;
  toggle: (record: FlowRecord) => void;
}

function useOpened(): Opened {
  const [open, setOpen] = useState<ReadonlySet<FlowRecord>>(new Set());
  const toggle = (record: FlowRecord) => {
    const next = new Set(open);
    if (!next.delete(record)) next.add(record);
    setOpen(next);
  };
  return { isOpen: (record) => open.has(record), toggle };
}

function Overview({ answer, navigate }: { answer: FlowsAnswer | null; navigate: Navigate }) {
  if (!answer) return <HistogramPlace />;
  return (
    <Histogram
      bars={answer.histogram}
      step={answer.histogram_step}
      from={answer.from}
      to={answer.to}
      onSelect={(from, to) => navigate({ range: { from: Math.floor(from), to: Math.ceil(to) } })}
    />
  );
}

const titles: Record<RecordKind, string> = { l4: 'L4 flows', l7: 'L7 flows', slow: 'Slowest requests' };

const requests = [
  { id: '', title: 'All', hint: 'All requests, summed up by flow, path and status', testid: 'requests-all' },
  {
    id: '1',
    title: 'Slowest',
    hint: 'The slowest few of each server and minute, with what their sockets said',
    testid: 'requests-slow',
  },
] as const;

function WhichRequests({ slow, navigate }: { slow: '' | '1'; navigate: Navigate }) {
  return (
    <Segmented label="Requests" choices={requests} value={slow} onChange={(choice) => navigate({ slow: choice })} />
  );
}

export function FlowsScreen(props: ScreenProps) {
  const { state, navigate, tick, refresh } = props;
  const { layer } = state;
  const [paused, setPaused] = useState(false);
  const kind = recordKind(layer, state.slow === '1');
  const question = { ...questionOf(state), slow: kind === 'slow' ? 1 : undefined };
  const opened = useOpened();
  const { first, records, pages, more } = usePages(
    { ...question, limit: pageSize },
    `${shapeOf(state)} ${kind}`,
    tick,
  );
  const { data: answer, error } = first;
  useReport(props, answer, error, first.loading);

  const range = effectiveRange(state);
  const reading = pages > 1 || records.some(opened.isOpen);
  useAutoRefresh(!paused && !reading && 'last' in range, refresh);

  const all = flowColumnsOf(kind);
  const { visible, set } = useColumns(`flows.${kind}`, all, flowColumns[kind]);
  const columns = [timeColumn(kind, rangeSeconds(range) > 86_400), ...all.filter((column) => visible.includes(column.id))];
  return (
    <div class="content">
      <Overview answer={answer} navigate={navigate} />
      <section class="paths" aria-label="Flow records">
        <div class="section-head">
          <h2>{titles[kind]}</h2>
          {layer === 'l7' && <WhichRequests slow={state.slow} navigate={navigate} />}
          <AutoRefresh paused={paused} held={reading} onToggle={() => setPaused(!paused)} />
          <ColumnChooser all={all} visible={visible} onChange={set} />
          <ExportLinks path="flows" params={{ ...question, limit: exportLimit }} name={`flows-${kind}`} />
        </div>
        {error && <Problem error={error} retry={first.retry} />}
        {!error && !answer && <Skeleton lines={14} />}
        {!error && answer && records.length === 0 && (
          <EmptyNotice title="No records in this range">
            Choose a longer time range, or take filters and the search away.
            {kind === 'l7' && ' L7 holds HTTP requests; other traffic is in L4.'}
          </EmptyNotice>
        )}
        {!error && records.length > 0 && (
          <Records kind={kind} screen={props} columns={columns} records={records} more={more} opened={opened} />
        )}
      </section>
    </div>
  );
}
