// The fields of flow records, as the flow tables and the quick filters show them. Names are those of
// the point schema, which the API uses too; a field that is not listed here is still shown under its
// own name when a record unfolds.
import type { Layer } from './catalog';
import { connectFailures, findMeasure, type Unit } from './measures';

export interface FieldInfo {
  name: string;
  label: string;
  unit: Unit | null; // null: text
}

function text(name: string, label: string): FieldInfo {
  return { name, label, unit: null };
}

function number(name: string): FieldInfo {
  const measure = findMeasure(name);
  return { name, label: measure?.short ?? name, unit: measure?.unit ?? 'count' };
}

function measured(name: string, unit: Unit, label: string): FieldInfo {
  return { name, label, unit };
}

// What flow records are of: slow requests are single ones, of layer l7.
export type RecordKind = Layer | 'slow';

export function recordKind(layer: Layer, slow: boolean): RecordKind {
  return layer === 'l7' && slow ? 'slow' : layer;
}

const identity: readonly FieldInfo[] = [
  text('direction', 'Direction'),
  text('transport', 'Transport'),
  text('process_name', 'Process'),
  text('pid', 'PID'),
  text('client_ip', 'Client IP'),
  text('client_port', 'Client port'),
  text('server_ip', 'Server IP'),
  text('server_port', 'Server port'),
];

const rest: readonly FieldInfo[] = [
  text('server_domain', 'Server domain'),
  text('dst_domain', 'Remote domain'),
  text('host', 'Host'),
  text('src_ip', 'Local IP'),
  text('src_port', 'Local port'),
  text('dst_ip', 'Remote IP'),
  text('dst_port', 'Remote port'),
  text('family', 'Family'),
  text('conn_side', 'Side'),
  text('client_ip_type', 'Client IP type'),
  text('server_ip_type', 'Server IP type'),
  text('dst_nat_ip', 'NAT IP'),
  text('dst_nat_port', 'NAT port'),
  text('netns', 'Network namespace'),
  text('container_id', 'Container'),
];

const request: readonly FieldInfo[] = [text('method', 'Method'), text('path', 'Path'), text('status_code', 'Status')];

const requestRest: readonly FieldInfo[] = [
  text('route', 'Route'),
  text('http_version', 'HTTP version'),
  text('truncated', 'Path truncated'),
];

// Columns of the flow tables, in their order.
export const flowFields: Record<RecordKind, readonly FieldInfo[]> = {
  l4: [
    ...identity,
    ...['bytes_written', 'bytes_read', 'rtt', 'rtt_p95', 'rtt_max', 'rtt_var', 'retransmits'].map(number),
    ...['tcp_established', 'tcp_closed', 'connect_failed', 'client_sent', 'server_sent'].map(number),
    ...connectFailures.map(number),
    ...rest,
  ],
  l7: [
    ...request,
    ...['count', 'latency', 'latency_p50', 'latency_p95', 'latency_p99', 'latency_max'].map(number),
    ...identity,
    ...['bytes_written', 'bytes_read', 'client_sent', 'server_sent'].map(number),
    ...requestRest,
    text('grpc_status', 'gRPC status'),
    ...rest,
  ],
  slow: [
    ...request,
    measured('latency', 'ns', 'Response'),
    measured('server_time', 'ns', 'Server'),
    measured('network_stall', 'ns', 'Network'),
    measured('total', 'ns', 'To the last byte'),
    measured('retransmits', 'count', 'Retransmits'),
    measured('rtt', 'us', 'Delay'),
    measured('unread_bytes', 'B', 'Unread'),
    measured('unsent_bytes', 'B', 'Unsent'),
    measured('connection_age', 'ns', 'Connection age'),
    ...identity,
    ...requestRest,
    ...rest,
  ],
};

export const flowColumns: Record<RecordKind, readonly string[]> = {
  l4: [
    'direction',
    'transport',
    'process_name',
    'client_ip',
    'client_port',
    'server_ip',
    'server_port',
    'bytes_written',
    'bytes_read',
    'rtt',
    'retransmits',
    'tcp_established',
    'tcp_closed',
  ],
  l7: [
    'method',
    'path',
    'status_code',
    'count',
    'latency',
    'latency_p95',
    'process_name',
    'client_ip',
    'server_ip',
    'server_port',
    'direction',
  ],
  slow: [
    'method',
    'path',
    'status_code',
    'latency',
    'server_time',
    'network_stall',
    'retransmits',
    'rtt',
    'unread_bytes',
    'unsent_bytes',
    'connection_age',
    'process_name',
    'client_ip',
    'server_ip',
    'server_port',
  ],
};

// The quick filters, besides direction and transport.
export const facetFields: Record<Layer, readonly string[]> = {
  l4: ['process_name', 'pid', 'client_ip', 'server_ip', 'server_port'],
  l7: ['status_code', 'method', 'process_name', 'pid', 'client_ip', 'server_ip', 'server_port'],
};

export function fieldLabel(layer: Layer, name: string): string {
  return flowFields[layer].find((field) => field.name === name)?.label ?? name;
}
