// Formats times and numbers.

const clock = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
const day = new Intl.DateTimeFormat('en-GB', {day: 'numeric', month: 'short'});
const grouped = new Intl.NumberFormat('en-US');

// clockTime returns the local time of day, optionally with milliseconds.
export function clockTime(date, milliseconds = false) {
  const text = clock.format(date);
  return milliseconds ? text + '.' + String(date.getMilliseconds()).padStart(3, '0') : text;
}

// dayAndTime is the local time, with the day if it is not today.
export function dayAndTime(date, milliseconds = false) {
  const today = date.toDateString() === new Date().toDateString();
  return (today ? '' : day.format(date) + ' ') + clockTime(date, milliseconds);
}

// zone is the difference between local time and UTC.
export function zone(date = new Date()) {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const two = (n) => String(n).padStart(2, '0');
  return 'UTC' + (minutes < 0 ? '−' : '+') + two(Math.floor(Math.abs(minutes) / 60)) + ':' + two(Math.abs(minutes) % 60);
}

export const count = (n) => grouped.format(n);

// short writes a number in about four characters.
export function short(n) {
  if (n >= 1e6) return trim(n / 1e6) + 'M';
  if (n >= 1e4) return trim(n / 1e3) + 'k';
  return count(Math.round(n));
}

// rate is a number per second.
export function rate(n) {
  if (n === 0) return '0';
  if (n < 0.1) return '<0.1';
  return n < 10 ? trim(n) : short(n);
}

const trim = (n) => String(Math.round(n * 10) / 10);

// duration is a number of seconds in its largest unit.
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return s + ' s';
  if (s < 90 * 60) return Math.round(s / 60) + ' min';
  if (s < 36 * 3600) return Math.round(s / 3600) + ' h';
  return Math.round(s / 86400) + ' days';
}

export const ago = (date, now = Date.now()) => duration((now - date) / 1000) + ' ago';

// plural writes a number with its noun.
export const plural = (n, noun) => count(n) + ' ' + noun + (n === 1 ? '' : 's');

// kindName returns the name of an event without its prefix.
export const kindName = (type) => (type ?? '').replace(/^ebpf\./, '') || '(no name)';

// level is info, warn or error.
export function level(severity) {
  const s = (severity ?? '').toLowerCase();
  if (s.startsWith('warn')) return 'warn';
  return s.startsWith('error') || s.startsWith('fatal') ? 'error' : 'info';
}
