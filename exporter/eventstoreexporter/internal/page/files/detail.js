// The details of one event, with links to related events.
import {ask} from './api.js';
import {$, make, say} from './dom.js';
import {clockTime, dayAndTime, level, zone} from './format.js';
import * as state from './state.js';
import * as table from './table.js';
import {nextNanosecond} from './times.js';

const panel = $('detail');
let open;

export const isOpen = () => !panel.hidden;

// show opens the details of an event and writes the event into the fragment, so that the link opens it again.
export function show(event, {focus = true} = {}) {
  if (!event) return;
  open = event;
  table.select(event.sequence);
  state.setFragment(`event=${event.time},${event.sequence}`);
  draw();
  panel.hidden = false;
  document.body.classList.add('with-detail');
  if (focus) panel.focus({preventScroll: true});
}

export function close() {
  if (panel.hidden) return;
  const had = panel.contains(document.activeElement);
  panel.hidden = true;
  document.body.classList.remove('with-detail');
  state.setFragment('');
  const {sequence} = open ?? {};
  table.select(undefined);
  open = undefined;
  if (had) table.focus(sequence);
}

// fromAddress opens the event that the fragment names.
export async function fromAddress() {
  const [, time, number] = /^#event=([^,]+),(\d+)$/.exec(decodeURIComponent(location.hash)) ?? [];
  if (time === undefined) return close();
  const sequence = Number(number);
  if (open?.sequence === sequence) return undefined;
  try {
    const answer = await ask('api/events', {since: time, until: nextNanosecond(time), limit: 10000});
    const event = answer.events.find((e) => e.sequence === sequence);
    if (event) return show(event, {focus: false});
    return missing('The event of this link is not stored any more.');
  } catch {
    return missing('The event of this link cannot be loaded.');
  }
}

function missing(text) {
  panel.replaceChildren(head(text));
  panel.hidden = false;
  document.body.classList.add('with-detail');
}

const head = (title) => make('header', {},
  make('h2', {id: 'detail-title'}, title),
  make('button', {type: 'button', class: 'close', 'aria-label': 'Close (Esc)', title: 'Close (Esc)', onclick: close}, '×'));

const internal = (parameters, text, name) => make('a', {href: state.href(parameters), 'data-internal': true, 'data-link': name}, text);

function draw() {
  const e = open;
  const at = new Date(e.time);
  const how = level(e.severity);
  const copy = make('button', {type: 'button', onclick: () => copyText(copy, JSON.stringify(e, null, 2))}, 'Copy JSON');
  panel.replaceChildren(
    head(e.type || 'Event'),
    make('p', {class: 'said', 'data-level': how}, e.body || '(no body)'),
    make('p', {class: 'quiet number'}, how === 'info' ? '' : make('strong', {'data-level': how}, how.toUpperCase()), how === 'info' ? '' : ' · ',
      `${dayAndTime(at)} ${zone(at)} · `, make('time', {datetime: e.time}, e.time)),
    make('nav', {class: 'related', 'aria-label': 'Related events'}, ...related(e)),
    ...attributes('Attributes', e.attributes),
    ...attributes('Resource', e.resource),
    make('p', {class: 'actions'}, copy, ' ', make('span', {class: 'quiet number'}, `number ${e.sequence}`)));
}

// related returns the links to related events.
function related(e) {
  const links = [];
  const link = (name, text, parameters) => links.push(internal(parameters, text, name));
  if (e.pid !== undefined) link('process', 'same process', {...(e.command ? {command: e.command} : {}), pid: e.pid});
  const cookie = e.attributes['ebpf.socket.cookie'];
  if (cookie !== undefined) link('connection', 'same connection', {cookie});
  const peer = peerOf(e);
  if (peer) link('peer', 'same peer', peer);
  if (e.unit) link('unit', 'same unit', {unit: e.unit});
  if (e.container) link('container', 'same container', {container: e.container});
  link('type', 'same kind', {type: e.type});
  const moment = 30_000;
  const at = Date.parse(e.time);
  link('around', `around ${clockTime(new Date(at))}`, {since: new Date(at - moment).toISOString(), until: new Date(at + moment).toISOString()});
  return links;
}

// peerOf returns the filters for the other side of a connection. Each connection has another client port, so it is left out.
function peerOf(e) {
  if (e.attributes['ebpf.connection.role'] === 'server') {
    const address = e.attributes['client.address'];
    return address && {address};
  }
  if (!e.address) return undefined;
  return e.port === undefined ? {address: e.address} : {address: e.address, port: e.port};
}

function attributes(title, map) {
  const entries = Object.entries(map ?? {});
  if (entries.length === 0) return [];
  return [make('section', {},
    make('h3', {}, title),
    make('dl', {class: 'attributes'}, ...entries.flatMap(([name, value]) => {
      const isText = typeof value !== 'object' || value === null;
      const text = isText ? String(value) : JSON.stringify(value);
      const only = isText && value !== null && value !== '' ?
        internal(state.withFilters({[`attr.${name}`]: text}), '=', 'only') : undefined;
      only?.setAttribute('aria-label', `Only events with this ${name}`);
      only?.setAttribute('title', `Add the filter attr.${name}=${text}`);
      return [make('dt', {}, name), make('dd', {'data-name': name}, make('span', {class: 'value'}, text), only)];
    })))];
}

// copyText copies a text and says so on the button.
export async function copyText(button, text) {
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    say(button, 'Copied');
  } catch {
    say(button, 'Not allowed by the browser');
  }
  setTimeout(() => say(button, was), 1500);
}
