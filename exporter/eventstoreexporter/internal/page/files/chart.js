// The chart of events per second: one strip per kind. All have the same time axis, and each has its own scale. Events of severity
// WARN and above have their own colours, so that the strips need no legend.
import {ask} from './api.js';
import {$, make, say} from './dom.js';
import {clockTime, count, dayAndTime, duration, kindName, level, rate, short} from './format.js';
import {Poll} from './poll.js';
import * as state from './state.js';
import * as status from './status.js';
import {instant} from './times.js';

const most = 6;
const parts = 180;
const second = 1000;
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 7 * 86400].map((s) => s * second);
const levels = ['info', 'warn', 'error'];

let domain; // from, to, step in milliseconds
let rows = [];

export const range = () => domain;

// chosen is the window of the filters, in milliseconds, or undefined.
export function chosen() {
  const {since, until} = Object.fromEntries(state.filters());
  if (until === undefined) return undefined;
  const to = instant(until);
  const from = since === undefined ? NaN : instant(since);
  return Number.isNaN(to) || Number.isNaN(from) || from >= to ? undefined : {from, to};
}

// wanted is the span of time of the chart: the chosen window with some time around it, or else the time up to now.
function wanted(now = Date.now()) {
  const window = chosen();
  if (window) {
    const around = (window.to - window.from) / 2;
    return align(window.from - around, Math.min(window.to + around, Math.max(now, window.to)));
  }
  const {since, until} = Object.fromEntries(state.filters());
  const to = until === undefined ? now : instant(until, now);
  const from = since === undefined ? to - 15 * 60 * second : instant(since, now);
  return Number.isNaN(to) || Number.isNaN(from) || from >= to ? align(now - 15 * 60 * second, now) : align(from, to);
}

function align(from, to) {
  const step = steps.find((s) => (to - from) / s <= parts) ?? Math.ceil((to - from) / parts / second) * second;
  return {from: Math.floor(from / step) * step, to: Math.ceil(to / step) * step, step};
}

const poll = new Poll(async (signal) => {
  const at = wanted();
  const parameters = state.withFilters({
    since: new Date(at.from).toISOString(), until: new Date(at.to).toISOString(), by: 'type,severity', step: at.step / second + 's', limit: 1000,
  });
  try {
    const answer = await ask('api/summary', parameters, {signal});
    domain = at;
    rows = rowsOf(answer.groups, at);
    $('chart-empty').hidden = true;
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    say($('chart-empty'), error.details ? 'No chart: the filters are invalid.' : 'No chart: the collector does not answer.');
    $('chart-empty').hidden = false;
    throw error;
  }
  draw();
}, 2000);

// show draws the chart for the filters in the address.
export const show = () => poll.now();
export const hide = () => poll.stop();

// rowsOf makes one row for each of the most frequent kinds, and one for all others.
function rowsOf(groups, {from, to, step}) {
  const n = Math.round((to - from) / step);
  const kinds = new Map();
  for (const group of groups) {
    const {type} = group.by;
    const row = kinds.get(type) ?? {type, total: 0, counts: levels.map(() => new Float64Array(n))};
    kinds.set(type, row);
    row.total += group.count;
    const counts = row.counts[levels.indexOf(level(group.by.severity))];
    for (const {time, count: each} of group.counts ?? []) {
      const i = Math.floor((Date.parse(time) - from) / step);
      if (i >= 0 && i < n) counts[i] += each;
    }
  }
  const sorted = [...kinds.values()].sort((a, b) => b.total - a.total);
  if (sorted.length <= most) return stable(sorted);
  const others = {type: undefined, total: 0, counts: levels.map(() => new Float64Array(n)), kinds: sorted.length - most + 1};
  for (const row of sorted.splice(most - 1)) {
    others.total += row.total;
    row.counts.forEach((counts, l) => counts.forEach((each, i) => others.counts[l][i] += each));
  }
  return [...stable(sorted), others];
}

// stable sorts by name, so that rows keep their places.
const stable = (list) => list.sort((a, b) => String(a.type).localeCompare(String(b.type)));

const svg = (tag, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

function draw() {
  const {from, to, step} = domain;
  const n = Math.round((to - from) / step);
  const seconds = step / second;
  const isNow = state.isLive();
  say($('chart-window'), `${duration((to - from) / second)}, ${seconds < 60 ? `${seconds} s` : duration(seconds)} each`);
  say($('chart-now'), isNow ? 'now' : 'mean');
  $('chart-rows').replaceChildren(...rows.map((row) => {
    const sums = sumsOf(row, n);
    const peak = sums.reduce((a, b) => Math.max(a, b), 0);
    // The last interval has not ended.
    const last = n > 1 ? sums[n - 2] / seconds : 0;
    const name = row.type === undefined ? `${row.kinds} other kinds` : kindName(row.type);
    const label = row.type === undefined ? make('span', {class: 'kind quiet'}, name) :
      make('a', {class: 'kind', href: state.href(state.withFilters({type: row.type})), 'data-internal': true, title: `Only ${row.type}`}, name);
    return make('div', {class: 'strip', 'data-type': row.type ?? ''}, label, picture(row, n, peak, `${name}: ${count(row.total)} events`),
      make('span', {class: 'columns number'}, make('span', {class: 'value'}, rate(isNow ? last : row.total / ((to - from) / second))),
        make('span', {class: 'peak quiet'}, rate(peak / seconds)), make('span', {class: 'quiet'}, short(row.total))));
  }));
  if (rows.length === 0) {
    say($('chart-empty'), 'No events in this time.');
    $('chart-empty').hidden = false;
  }
  drawAxis();
  document.dispatchEvent(new Event('chart-drawn'));
}

const sumsOf = (row, n) => Float64Array.from({length: n}, (_, i) => row.counts[0][i] + row.counts[1][i] + row.counts[2][i]);

function picture(row, n, peak, title) {
  const image = svg('svg', {viewBox: `0 0 ${n} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': title});
  for (let l = 0; l < levels.length; l++) {
    let path = '';
    for (let i = 0; i < n && peak > 0; i++) {
      let sum = 0;
      for (let worse = l; worse < levels.length; worse++) sum += row.counts[worse][i];
      if (sum > 0) path += `M${i + 0.08} 100V${(100 - Math.max(6, sum / peak * 100)).toFixed(1)}h.84V100z`;
    }
    if (path !== '') image.append(svg('path', {d: path, 'data-level': levels[l]}));
  }
  return image;
}

// drawAxis writes round times below the strips.
function drawAxis() {
  const {from, to} = domain;
  const offset = new Date(from).getTimezoneOffset() * 60 * second;
  const every = steps.find((s) => (to - from) / s <= 6) ?? to - from;
  const ticks = [];
  for (let at = Math.ceil((from - offset) / every) * every + offset; at <= to; at += every) ticks.push(at);
  $('chart-axis').replaceChildren(...ticks.map((at) => {
    const text = every >= 43200 * second ? dayAndTime(new Date(at)).slice(0, -3) : clockTime(new Date(at)).slice(0, every < 60 * second ? undefined : -3);
    const tick = make('span', {}, text);
    tick.style.left = (at - from) / (to - from) * 100 + '%';
    return tick;
  }));
}

// valuesAt shows the numbers at a time. With undefined it shows those of now again.
export function valuesAt(time) {
  if (!domain) return;
  if (time === undefined) return draw();
  const {from, to, step} = domain;
  const n = Math.round((to - from) / step);
  const i = Math.min(Math.max(Math.floor((time - from) / step), 0), n - 1);
  [...$('chart-rows').children].forEach((strip, r) => rows[r] && say(strip.querySelector('.value'), rate(sumsOf(rows[r], n)[i] / (step / second))));
  say($('chart-now'), clockTime(new Date(from + i * step)));
}
