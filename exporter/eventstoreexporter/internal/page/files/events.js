// Fills the table from the stream, or from stored events if the filters have an end time.
import {ask, refused} from './api.js';
import {$, make, say} from './dom.js';
import {count, dayAndTime, plural, zone} from './format.js';
import * as state from './state.js';
import * as status from './status.js';
import * as stream from './stream.js';
import * as table from './table.js';
import {instant, nextNanosecond} from './times.js';

const page = 300;
let paused = false;
let shown = ''; // the filters of the table's events
let controller = new AbortController();
let next; // the position of the next older page
let came = 0; // events that came while paused
let skipped = 0;
let missed = 0;
let answered = false;
let interrupted = false;

export const isPaused = () => paused;

// show fills the table by the filters in the address, if they have changed.
export function show() {
  const filters = state.filters().toString();
  if (filters === shown && answered) return;
  if (filters !== shown) paused = false;
  restart();
}

// restart empties and fills the table.
export function restart() {
  shown = state.filters().toString();
  controller.abort();
  controller = new AbortController();
  next = undefined;
  came = skipped = missed = 0;
  answered = interrupted = false;
  table.clear();
  say($('zone'), zone());
  say($('older-note'), '');
  fail();
  draw();
  if (state.isLive()) {
    status.set('connecting', 'Connecting…');
    stream.follow(state.filters(), table.liveRows, receive);
  } else {
    stream.end();
    status.set('window', 'Stored events');
    past(state.filters());
  }
}

// pause stops the table, or continues it with the newest events.
export function pause(on = !paused) {
  if (!state.isLive()) return state.go(state.href(state.withFilters({since: undefined, until: undefined})));
  paused = on;
  if (!paused) return restart();
  came = 0;
  status.set('paused', 'Paused');
  return draw();
}

function receive(message) {
  switch (message.state) {
    case 'open':
      if (!answered) answered = true;
      if (interrupted) status.note(`Connected again at ${dayAndTime(new Date())}. No stored event is missing.`);
      interrupted = false;
      if (!paused) status.set('live', 'Live');
      status.reached();
      setTimeout(draw, 400); // stored events usually arrive before that
      return;
    case 'waiting':
      interrupted ||= answered;
      status.set('waiting', `Reconnecting, attempt ${message.failures}…`);
      status.unreachable();
      return;
    case 'refused':
      answered = true;
      fail(refused(message.status, message.text));
      status.set('refused', message.status < 500 ? 'Invalid filter' : 'The store cannot answer');
      draw();
      return;
  }
  missed += message.missed;
  if (paused) came += message.came;
  else {
    skipped += message.skipped;
    table.add(message.events);
  }
  draw();
}

// past loads a page of stored events.
async function past(filters, after) {
  try {
    const answer = await ask('api/events', [...filters, ['limit', page], ...(after ? [['after', after]] : [])], {signal: controller.signal});
    answered = true;
    next = answer.next;
    status.about(answer);
    if (after) table.append(answer.events);
    else table.add(answer.events);
    draw();
  } catch (error) {
    failed(error);
  }
}

// older adds the events before the last row.
async function older() {
  if (!state.isLive()) return past(state.filters(), next);
  const last = table.oldest();
  if (!last) return undefined;
  if (!paused) pause(true);
  try {
    const until = nextNanosecond(last.time); // others may have happened in the same nanosecond
    const answer = await ask('api/events', [...state.withFilters({until}), ['limit', page]], {signal: controller.signal});
    const others = answer.events.filter((e) => !table.has(e.sequence));
    table.append(others);
    if (answer.next === undefined || others.length === 0) say($('older-note'), end);
    return draw();
  } catch (error) {
    return failed(error);
  }
}

const end = 'There are no older events.';

function failed(error) {
  if (error.name === 'AbortError') return;
  if (error.details) {
    answered = true;
    fail(error);
  } else {
    status.set('waiting', 'The collector does not answer');
    status.unreachable();
    setTimeout(() => answered || restart(), 2000);
  }
  draw();
}

// fail shows why the filters are refused, or hides that message.
function fail(error) {
  const at = $('filter-error');
  at.hidden = !error;
  at.replaceChildren(...(error?.details ?? []).map((line) => make('span', {}, line)));
  $('filter-input').toggleAttribute('aria-invalid', Boolean(error));
}

// draw updates the texts and buttons around the rows.
export function draw() {
  const live = state.isLive();
  const button = $('pause');
  say(button, !live ? 'Follow' : paused ? 'Resume' : 'Pause');
  button.setAttribute('aria-pressed', String(paused));
  say($('waiting'), paused && came > 0 ? `${count(came)} new` : '');
  drawSkipped();
  drawWindow();
  drawEmpty();
  const rows = table.size();
  $('older').hidden = rows === 0 || $('older-note').textContent === end || rows >= table.mostRows || (live ? rows < page && !paused : !next);
  if (!live && answered && rows > 0 && !next) say($('older-note'), end);
  else if (rows >= table.mostRows) say($('older-note'), `${plural(rows, 'event')} are shown. Choose a shorter time to see others.`);
}

function drawSkipped() {
  const at = $('skipped');
  at.hidden = skipped + missed === 0;
  if (at.hidden) return;
  const more = skipped > 0 ? `${plural(skipped, 'event')} came in too fast to be shown. ` : '';
  const behind = missed > 0 ? `The stream skipped some of ${count(missed)} because the page read too slowly. ` : '';
  say(at, more + behind + 'All are stored: add a filter, or choose a time in the chart.');
}

function drawWindow() {
  const at = $('window');
  const {since, until} = Object.fromEntries(state.filters());
  at.hidden = until === undefined || Number.isNaN(instant(until));
  if (at.hidden) return;
  const from = since === undefined ? 'the beginning' : dayAndTime(new Date(instant(since)));
  at.replaceChildren(`From ${from} to ${dayAndTime(new Date(instant(until)))}. `,
    make('a', {href: state.href(state.withFilters({since: undefined, until: undefined})), 'data-internal': true}, 'Show new events'));
}

function drawEmpty() {
  const at = $('events-empty');
  at.hidden = table.size() > 0 || !answered || !$('filter-error').hidden;
  $('events').hidden = table.size() === 0;
  if (at.hidden) return;
  const filters = state.filters();
  const narrowed = filters.size > 0;
  const lines = narrowed ? [
    make('p', {}, state.isLive() ? 'No event matches yet. New ones appear here.' : 'No event matches.'),
    make('p', {class: 'quiet'}, 'Remove a filter, ',
      ...(filters.has('since') || filters.has('until') ?
        [make('a', {href: state.href(state.withFilters({since: undefined, until: undefined})), 'data-internal': true}, 'look at all times'), ', '] : []),
      'or ', make('a', {href: state.href({}), 'data-internal': true}, 'show everything'), '.'),
  ] : [
    make('p', {}, 'No events are stored yet. New ones appear here.'),
    make('p', {class: 'quiet'}, 'If none come: the receiver ebpf and the exporter event_store must be in the same logs pipeline, and the ',
      make('a', {href: state.href({view: 'programs'}), 'data-internal': true}, 'programs'), ' must run.'),
  ];
  at.replaceChildren(...lines);
}

$('older').addEventListener('click', older);
$('pause').addEventListener('click', () => pause());
