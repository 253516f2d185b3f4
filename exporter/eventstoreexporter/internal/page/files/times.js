// Times of the API: RFC 3339 with up to nine digits of a second, or a duration before now. A Date has only milliseconds, so exact
// times are kept as text.

const units = {ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3};

// milliseconds reads a duration such as 15m, 2h30m or 7d. It returns NaN for anything else.
export function milliseconds(text) {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return NaN;
  let sum = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|[smhd])/g)) sum += Number(number) * units[unit];
  return sum;
}

// instant returns a time of the API in milliseconds since 1970.
export function instant(text, now = Date.now()) {
  const ago = milliseconds(text);
  return Number.isNaN(ago) ? Date.parse(text) : now - ago;
}

// sortKey returns a time as text that sorts by time.
export function sortKey(time) {
  const [, whole, fraction = ''] = /^([^.Z]*)(?:\.(\d+))?/.exec(time);
  return whole + '.' + fraction.padEnd(9, '0');
}

// nextNanosecond returns the time one nanosecond later. As the parameter `until` it includes the given time.
export function nextNanosecond(time) {
  const key = sortKey(time);
  const next = Number(key.slice(-9)) + 1;
  if (next < 1e9) return key.slice(0, -9) + String(next).padStart(9, '0') + 'Z';
  return new Date(Date.parse(key.slice(0, -10) + 'Z') + 1000).toISOString();
}
