// The screens, views, layers and built-in time ranges: what the top navigation, the switches and the
// URL may say. A later screen is an entry here and a component in screens/index.ts.

export type ScreenId = 'summary' | 'map' | 'flows';
export type View = 'host' | 'process' | 'ip';
export type Layer = 'l4' | 'l7';
export type Direction = 'incoming' | 'outgoing';
export type Transport = 'tcp' | 'udp';

export interface ScreenInfo {
  id: ScreenId;
  title: string;
  hasView: boolean; // whether the host/process/ip switch means anything there
}

export const screens: readonly ScreenInfo[] = [
  { id: 'summary', title: 'Summary', hasView: true },
  { id: 'map', title: 'Map', hasView: true },
  { id: 'flows', title: 'Flows', hasView: false },
];

export const views: readonly { id: View; title: string }[] = [
  { id: 'host', title: 'Host' },
  { id: 'process', title: 'Process' },
  { id: 'ip', title: 'IP' },
];

export const layers: readonly { id: Layer; title: string; hint: string }[] = [
  { id: 'l4', title: 'L4', hint: 'Connections: TCP and UDP' },
  { id: 'l7', title: 'L7', hint: 'Requests: HTTP' },
];

export const directions: readonly Direction[] = ['incoming', 'outgoing'];
export const transports: readonly Transport[] = ['tcp', 'udp'];

export const ranges: readonly { id: string; title: string; seconds: number }[] = [
  { id: '15m', title: '15 min', seconds: 900 },
  { id: '1h', title: '1 h', seconds: 3600 },
  { id: '4h', title: '4 h', seconds: 14_400 },
  { id: '24h', title: '24 h', seconds: 86_400 },
  { id: '48h', title: '48 h', seconds: 172_800 },
];

// The map of hosts changes slowly and opens on two days; all else opens on the last 15 minutes.
export function defaultRange(screen: ScreenId, view: View): string {
  return screen === 'map' && view === 'host' ? '48h' : '15m';
}

export function isOneOf<T extends string>(values: readonly T[], text: string): text is T {
  return (values as readonly string[]).includes(text);
}
