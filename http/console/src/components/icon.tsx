// Line icons of 16 x 16, drawn in the colour of the text beside them.

const shapes = {
  refresh: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5V5.2h-2.7',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  moon: 'M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M10.3 10.3 13.5 13.5',
  close: 'M4 4l8 8M12 4l-8 8',
  columns: 'M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9',
  download: 'M8 2.5v7M5 6.8l3 3 3-3M3 13h10',
  chevron: 'M6 4l4 4-4 4',
  down: 'M4 6l4 4 4-4',
  up: 'M4 10l4-4 4 4',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3.5v9l7-4.5z',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6v-3.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  back: 'M13 8H3.5M7.5 4l-4 4 4 4',
  check: 'M3 8.5l3.2 3.2L13 5',
  alert: 'M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.1',
  help: 'M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.5M8 12v.1M8 1.7a6.3 6.3 0 1 1 0 12.6A6.3 6.3 0 0 1 8 1.7',
  clock: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 4.8V8l2.2 1.5',
  flows: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  host: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1',
  process: 'M2.5 3h11v10h-11zM5 6.5l1.8 1.5L5 9.5M8.3 10h2.5',
  ip: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M2 8h12M8 2c-3.3 3.5-3.3 8.5 0 12M8 2c3.3 3.5 3.3 8.5 0 12',
  filter: 'M2.5 3.5h11L9.5 8.3v4.2l-3-1.5V8.3z',
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  );
}

export function Brand() {
  return (
    <svg class="brand-mark" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M6 10c3.3-2.6 6.7-2.6 10 0s6.7 2.6 10 0M6 16.5c3.3-2.6 6.7-2.6 10 0s6.7 2.6 10 0M6 23c3.3-2.6 6.7-2.6 10 0s6.7 2.6 10 0" />
    </svg>
  );
}
