// The table of events. It has a bounded number of rows and is changed at most once per frame.
import {$, make, printable} from './dom.js';
import {clockTime, dayAndTime, kindName, level} from './format.js';
import {sortKey} from './times.js';

// liveRows is the maximum number of rows while new events come in, and mostRows after older ones were added.
export const liveRows = 300;
export const mostRows = 5000;

const body = $('rows');
const nodes = new Map(); // rows by sequence number
let events = []; // the newest first
let waiting = [];
let bound = liveRows;
let frame = 0;
let heldUntil = 0;
let selected;
let onOpen = () => {};
let onDraw = () => {};

// start sets the function that gets the selected event, and the one that is called after the rows have changed.
export function start(open, draw) {
  onOpen = open;
  onDraw = draw;
}

export const size = () => events.length + waiting.length;
export const oldest = () => events.at(-1);
export const has = (sequence) => nodes.has(sequence);
export const find = (sequence) => events.find((e) => e.sequence === sequence);

// clear removes all rows in the next frame, so that the table does not flicker if new rows come at once.
export function clear() {
  events = [];
  waiting = [];
  bound = liveRows;
  heldUntil = 0;
  schedule();
}

// add adds new events, and removes the oldest ones above the limit.
export function add(more) {
  waiting.push(...more);
  if (waiting.length > bound) waiting.splice(0, waiting.length - bound);
  schedule();
}

// append adds older events at the end, and makes room for them.
export function append(older) {
  bound = Math.min(mostRows, Math.max(bound, events.length + waiting.length + older.length));
  waiting.push(...older);
  heldUntil = 0;
  schedule();
}

// hold keeps the rows in place for a moment, so that a click opens the event under the pointer.
export function hold(milliseconds) {
  heldUntil = Math.max(heldUntil, performance.now() + milliseconds);
}

function schedule() {
  frame ||= requestAnimationFrame(draw);
}

function draw(now) {
  frame = 0;
  if (now < heldUntil && events.length > 0) {
    schedule();
    return;
  }
  for (const e of waiting) e.key = sortKey(e.time);
  const known = new Set(events.map((e) => e.sequence));
  events.push(...waiting.filter((e) => !known.has(e.sequence) && known.add(e.sequence)));
  waiting = [];
  events.sort((a, b) => (a.key === b.key ? b.sequence - a.sequence : a.key < b.key ? 1 : -1));
  events.length = Math.min(events.length, bound);
  let at = body.firstChild;
  for (const e of events) {
    let row = nodes.get(e.sequence);
    if (!row) nodes.set(e.sequence, row = makeRow(e));
    if (row === at) at = at.nextSibling;
    else body.insertBefore(row, at);
  }
  while (at) {
    const next = at.nextSibling;
    nodes.delete(Number(at.dataset.sequence));
    at.remove();
    at = next;
  }
  reachable();
  onDraw();
}

// reachable lets the Tab key reach one row: the selected one, or else the first.
let tabbed;
function reachable() {
  const row = nodes.get(selected) ?? body.firstChild;
  if (row === tabbed) return;
  tabbed?.setAttribute('tabindex', '-1');
  tabbed = row;
  row?.setAttribute('tabindex', '0');
}

const cell = (kind, ...children) => make('td', {role: 'cell', class: kind}, ...children);

function makeRow(e) {
  const at = new Date(e.time);
  const how = level(e.severity);
  const today = at.toDateString() === new Date().toDateString();
  const process = e.command ? [make('span', {class: 'command'}, e.command), e.pid === undefined ? '' : make('span', {class: 'quiet'}, ` ${e.pid}`)] :
    [e.pid === undefined ? '' : String(e.pid)];
  const row = make('tr', {role: 'row', tabindex: '-1', 'data-sequence': e.sequence, 'data-level': how},
    cell('c-time number', make('time', {datetime: e.time, title: e.time}, today ? clockTime(at, true) : dayAndTime(at, true))),
    cell('c-severity', how === 'info' ? '' : how),
    cell('c-type', kindName(e.type)),
    cell('c-process', ...process),
    cell('c-body', ...said(e)));
  if (e.sequence === selected) row.setAttribute('aria-selected', 'true');
  return row;
}

// said is the body. The process at its beginning is hidden where a column has it.
function said(e) {
  const body = e.body || summary(e);
  const owner = `${e.command}[${e.pid}] `;
  return e.command && body.startsWith(owner) ? [make('span', {class: 'owner'}, owner), body.slice(owner.length)] : [body];
}

// summary describes the peer and the error of an event without a body.
const summary = (e) => printable([e.address && (e.port ? `${e.address}:${e.port}` : e.address), e.error, e.reason].filter(Boolean).join(' '));

// select marks the row of an event. With undefined it marks none.
export function select(sequence) {
  nodes.get(selected)?.removeAttribute('aria-selected');
  selected = sequence;
  nodes.get(selected)?.setAttribute('aria-selected', 'true');
  reachable();
}

// step moves the focus to the next or the previous row, and returns its event.
export function step(by) {
  const rows = [...body.children];
  const from = rows.indexOf(document.activeElement.closest?.('#rows > tr') ?? nodes.get(selected));
  const row = rows[from < 0 ? 0 : Math.min(Math.max(from + by, 0), rows.length - 1)];
  if (!row) return undefined;
  hold(10_000);
  row.focus({preventScroll: true});
  row.scrollIntoView({block: 'nearest'});
  return find(Number(row.dataset.sequence));
}

// focus moves the focus to the row of an event.
export const focus = (sequence) => nodes.get(sequence)?.focus();

const rowOf = (event) => event.target.closest('#rows > tr');

body.addEventListener('click', (event) => {
  const row = rowOf(event);
  if (row && String(getSelection()) === '') onOpen(find(Number(row.dataset.sequence)));
});
body.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !rowOf(event)) return;
  event.preventDefault();
  onOpen(find(Number(rowOf(event).dataset.sequence)));
});
for (const kind of ['pointermove', 'pointerdown']) body.addEventListener(kind, () => hold(1200), {passive: true});
