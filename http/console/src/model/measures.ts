// The measures of the API as people read them: labels, units and how the screens group them.
// Names and units are those of the API.
import type { Layer } from './catalog';

export type Unit = 'B' | 'us' | 'ns' | '1/s' | 'share' | 'count';

// How a scale of colours reads: more of an amount is only more; more of a cost is worse.
export type Sense = 'amount' | 'cost';

export interface Measure {
  name: string;
  label: string; // full
  short: string; // column heading, legend
  unit: Unit;
  layers: readonly Layer[];
  sense: Sense;
}

function measure(name: string, layers: Layer[], unit: Unit, sense: Sense, short: string, label = short): Measure {
  return { name, layers, unit, sense, short, label };
}

const l4: Layer[] = ['l4'];
const l7: Layer[] = ['l7'];
const both: Layer[] = ['l4', 'l7'];

export const measures: readonly Measure[] = [
  measure('count', l7, 'count', 'amount', 'Requests'),
  measure('rps', l7, '1/s', 'amount', 'Req/s', 'Requests per second'),
  measure('latency', l7, 'ns', 'cost', 'Response', 'Response time, mean'),
  measure('latency_p50', l7, 'ns', 'cost', 'p50', 'Response time, median'),
  measure('latency_p95', l7, 'ns', 'cost', 'p95', 'Response time, 95th percentile'),
  measure('latency_p99', l7, 'ns', 'cost', 'p99', 'Response time, 99th percentile'),
  measure('latency_max', l7, 'ns', 'cost', 'Max', 'Response time, maximum'),
  measure('error_rate', l7, 'share', 'cost', 'Error rate', 'Error rate (4xx and 5xx)'),
  measure('errors', l7, 'count', 'cost', 'Errors', 'Errors (4xx and 5xx)'),
  measure('status_3xx', l7, 'count', 'amount', '3xx', 'Responses with status 3xx'),
  measure('status_4xx', l7, 'count', 'cost', '4xx', 'Responses with status 4xx'),
  measure('status_5xx', l7, 'count', 'cost', '5xx', 'Responses with status 5xx'),
  measure('bytes_written', both, 'B', 'amount', 'Sent', 'Bytes sent by the local end'),
  measure('bytes_read', both, 'B', 'amount', 'Received', 'Bytes received by the local end'),
  measure('rtt', l4, 'us', 'cost', 'Delay', 'TCP delay, mean'),
  measure('rtt_p50', l4, 'us', 'cost', 'Delay p50', 'TCP delay, median'),
  measure('rtt_p95', l4, 'us', 'cost', 'Delay p95', 'TCP delay, 95th percentile'),
  measure('rtt_max', l4, 'us', 'cost', 'Delay max', 'TCP delay, maximum'),
  measure('rtt_var', l4, 'us', 'cost', 'Jitter', 'TCP jitter, mean'),
  measure('rtt_var_p95', l4, 'us', 'cost', 'Jitter p95', 'TCP jitter, 95th percentile'),
  measure('retransmits', l4, 'count', 'cost', 'Retransmits', 'TCP retransmissions'),
  measure('tcp_established', l4, 'count', 'amount', 'Established', 'TCP connections established'),
  measure('tcp_closed', l4, 'count', 'amount', 'Closed', 'TCP connections closed'),
  measure('connect_failed', l4, 'count', 'cost', 'Failed', 'TCP connection attempts that failed'),
  measure('connect_refused', l4, 'count', 'cost', 'Refused', 'Attempts refused by the peer'),
  measure('connect_timed_out', l4, 'count', 'cost', 'Timed out', 'Attempts without an answer'),
  measure('connect_unreachable', l4, 'count', 'cost', 'Unreachable', 'Attempts without a route to the peer'),
  measure('connect_reset', l4, 'count', 'cost', 'Reset', 'Attempts reset or given up midway'),
  measure('connect_failed_other', l4, 'count', 'cost', 'Failed otherwise', 'Attempts that failed for another reason'),
  measure('client_sent', both, 'B', 'amount', 'Client sent', 'Bytes sent by the client'),
  measure('server_sent', both, 'B', 'amount', 'Server sent', 'Bytes sent by the server'),
];

// Why connection attempts failed.
export const connectFailures: readonly string[] = [
  'connect_refused',
  'connect_timed_out',
  'connect_unreachable',
  'connect_reset',
  'connect_failed_other',
];

const byName = new Map(measures.map((one) => [one.name, one]));

export function findMeasure(name: string): Measure | undefined {
  return byName.get(name);
}

export function measuresOf(layer: Layer): Measure[] {
  return measures.filter((one) => one.layers.includes(layer));
}

export interface ChartSpec {
  title: string;
  metrics: string[]; // one unit in a chart
  span: number; // of twelve columns
  filled?: boolean; // an area under the line: for amounts that start at 0
}

export const charts: Record<Layer, readonly ChartSpec[]> = {
  l4: [
    { title: 'Traffic', metrics: ['bytes_written', 'bytes_read'], span: 7, filled: true },
    { title: 'TCP delay', metrics: ['rtt', 'rtt_p95'], span: 5 },
    { title: 'TCP jitter', metrics: ['rtt_var', 'rtt_var_p95'], span: 4 },
    { title: 'Retransmissions', metrics: ['retransmits'], span: 3, filled: true },
    { title: 'Connections', metrics: ['tcp_established', 'tcp_closed', 'connect_failed'], span: 5 },
  ],
  l7: [
    { title: 'Requests per second', metrics: ['rps'], span: 7, filled: true },
    { title: 'Response time', metrics: ['latency_p50', 'latency_p95', 'latency_p99'], span: 5 },
    { title: 'Error rate', metrics: ['error_rate'], span: 3, filled: true },
    { title: 'Status', metrics: ['status_3xx', 'status_4xx', 'status_5xx'], span: 5 },
    { title: 'Traffic', metrics: ['bytes_written', 'bytes_read'], span: 4, filled: true },
  ],
};

// What can fill the map, the screen's default first.
export const fills: Record<Layer, readonly string[]> = {
  l4: [
    'rtt',
    'rtt_var',
    'retransmits',
    'tcp_established',
    'tcp_closed',
    'connect_failed',
    'bytes_written',
    'bytes_read',
  ],
  l7: ['rps', 'error_rate', 'latency', 'latency_p95'],
};
