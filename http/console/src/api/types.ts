// The answers of the API as the console reads them; openapi.yaml is the authority.

export type Measures = Record<string, number | null>;

export interface Coverage {
  complete: boolean;
  lost: Record<string, number>;
  reconciled?: Record<string, { kernel: number; seen: number }>;
}

// What every data answer carries. Times are unix ms.
export interface Answer {
  from: number;
  to: number;
  resolution: 'detail' | 'minute';
  coverage: Coverage;
  took_us: number;
}

// One end of a flow as the view names it.
export interface End {
  id: string; // of its node in the map
  kind: string;
  name: string;
}

// Beside these members, the layer's measures; see measureOf().
export interface PairRow {
  client: End;
  server: End;
  direction: string;
  transport: string;
}

export interface SummaryAnswer extends Answer {
  data: PairRow[];
  totals: Measures;
  other: Measures & { groups: number }; // the rows beyond the limit
  groups: number; // all rows
}

// A measure of a row; null also where the row is of something else than a number.
export function measureOf(row: object, name: string): number | null {
  const value = (row as Record<string, unknown>)[name];
  return typeof value === 'number' ? value : null;
}

export type SeriesPoints = [ms: number, value: number | null][];

export interface SeriesAnswer extends Answer {
  step: number; // ms
  data: Record<string, { points: SeriesPoints }>;
}

export interface FacetValue {
  value: string | number | boolean | null; // null: records without one
  count: number;
}

export interface FacetsAnswer extends Answer {
  data: Record<string, FacetValue[]>;
  distinct: Record<string, number>; // values of each field, with those beyond the limit
}

export type FlowRecord = Record<string, string | number | boolean | null>;

export interface FlowsAnswer extends Answer {
  data: FlowRecord[];
  next_cursor: string | null;
  histogram: { time: number; count: number }[];
  histogram_step: number; // ms
}

export interface MapNode {
  id: string;
  kind: string;
  name: string;
  external: boolean;
  cloud: string | null;
  measures: Measures; // of all edges that begin or end here
  in: Measures; // of those where it is the server
  out: Measures; // of those where it is the client
}

export interface MapEdge {
  source: string;
  target: string;
  measures: Measures;
}

export interface MapGraph {
  nodes: MapNode[];
  edges: MapEdge[]; // from client to server
  other: { edges: number; measures?: Measures }; // the edges beyond the limit
  fill: { metric: string; min: number | null; max: number | null };
}

export interface MapAnswer extends Answer {
  data: MapGraph;
  totals: Measures;
}

export interface StatusAnswer {
  interval_ms: number; // of collection
  losses: { reason: string; count: number; description: string }[];
}
