// Times of the API are unix milliseconds; people see them in their browser's time zone.

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minuteClock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

export function formatClock(ms: number): string {
  return clock.format(ms);
}

export function formatMoment(ms: number): string {
  return full.format(ms);
}

export function formatDayAndClock(ms: number): string {
  return `${day.format(ms)} ${clock.format(ms)}`;
}

// A range as short as it can be said: the day once when both ends share it.
export function formatRange(from: number, to: number): string {
  const begin = `${day.format(from)} ${minuteClock.format(from)}`;
  const sameDay = new Date(from).toDateString() === new Date(to).toDateString();
  return `${begin} – ${sameDay ? minuteClock.format(to) : `${day.format(to)} ${minuteClock.format(to)}`}`;
}

// Seconds as a short span: 45 s, 12 min, 3 h.
export function formatSpan(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}

// The value of a datetime-local input, in the browser's time zone, to the second.
export function toInputValue(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

export function fromInputValue(text: string): number | null {
  const ms = new Date(text).getTime();
  return Number.isFinite(ms) ? ms : null;
}
