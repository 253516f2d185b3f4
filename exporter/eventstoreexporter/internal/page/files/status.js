// Shows the state of the connection and of the event store.
import {ask} from './api.js';
import {$, make, say} from './dom.js';
import {ago, count, dayAndTime, plural} from './format.js';
import {Poll} from './poll.js';
import * as state from './state.js';
import {instant} from './times.js';

let store; // oldest, evicted, lost
let health = [];
let down = false;
let noteTimer;

// set shows the state of the stream.
export function set(kind, text) {
  $('status').dataset.state = kind;
  say($('status'), text);
}

// note shows a short text beside the state for some seconds.
export function note(text) {
  const at = $('store-note') ?? $('notices').appendChild(make('p', {id: 'store-note', class: 'notice', 'data-level': 'info'}));
  say(at, text);
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => at.remove(), 15_000);
}

export function unreachable() {
  if (!down) {
    down = true;
    draw();
  }
}

export function reached() {
  if (down) {
    down = false;
    draw();
    poll.now();
  }
}

// about takes the facts about the store from an answer of the API.
export function about(answer) {
  store = answer;
  draw();
}

function draw() {
  const lines = [];
  if (down) {
    lines.push(['error', 'unreachable', 'The collector does not answer. This page tries again by itself. ' +
      'Is it running? systemctl status otelcol-ebpf, and journalctl -u otelcol-ebpf for its log.']);
  } else {
    for (const problem of health) lines.push(['error', problem, problem[0].toUpperCase() + problem.slice(1) + '.']);
  }
  const lost = Object.entries(store?.lost ?? {}).filter(([, n]) => n > 0);
  if (lost.length > 0) {
    const sum = lost.reduce((s, [, n]) => s + n, 0);
    lines.push(['warn', 'lost', `${plural(sum, 'event')} could not be stored since the start (${lost.map(([cause, n]) => `${cause} ${count(n)}`).join(', ')}). ` +
      'The page is incomplete.']);
  }
  const oldest = store?.oldest ? new Date(store.oldest) : undefined;
  const since = state.filters().get('since');
  if (oldest && since && instant(since) < oldest - 60_000) {
    lines.push(['info', 'reach', `The store reaches back to ${dayAndTime(oldest)}, which is later than the chosen start.` +
      (store.evicted > 0 ? ' Older events were removed: see max_size and max_age.' : '')]);
  }
  const note = $('store-note');
  const at = $('notices');
  const have = new Map([...at.children].filter((e) => e !== note).map((e) => [e.dataset.key, e]));
  for (const [level, key, text] of lines) {
    const line = have.get(key) ?? at.appendChild(make('p', {class: 'notice', 'data-level': level, 'data-key': key}));
    say(line, text);
    have.delete(key);
  }
  for (const gone of have.values()) gone.remove();
  if (!store) return;
  say($('store'), oldest === undefined ? 'The store is empty.' :
    `Stored since ${dayAndTime(oldest)} (${ago(oldest)})` + (store.evicted > 0 ? `; ${plural(store.evicted, 'older event')} removed` : '') +
    (lost.length === 0 ? '; the store lost none.' : '.'));
}

const poll = new Poll(async (signal) => {
  const answer = await ask('health', {}, {signal, accept: [503]});
  health = answer.problems ?? [];
  about(answer);
}, 10_000);

export const start = () => poll.now();
export const refresh = draw;
