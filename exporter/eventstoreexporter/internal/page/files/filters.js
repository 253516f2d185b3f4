// The filters of the address as chips, and a field to add more.
import {ask} from './api.js';
import {$, make} from './dom.js';
import * as state from './state.js';

const names = ['type', 'command', 'pid', 'unit', 'container', 'address', 'port', 'error', 'reason', 'severity', 'cookie', 'since', 'until', 'attr.'];
// The field suggests stored values for these.
const counted = new Set(['type', 'command', 'pid', 'unit', 'container', 'address', 'port', 'error', 'reason']);
const severities = ['info', 'warn', 'error'];

const input = $('filter-input');

// draw shows the filters in the address.
export function draw() {
  const filters = state.filters();
  const chips = [...filters].filter(([name]) => name !== 'since' || filters.has('until')).map(([name, value]) => {
    const label = `${name}=${value}`;
    return make('li', {class: 'chip', 'data-name': name},
      make('button', {type: 'button', class: 'text', title: 'Change it', onclick: () => edit(name, label)}, make('span', {class: 'quiet'}, `${name}=`), value),
      make('a', {href: state.href(state.withFilters({[name]: undefined})), 'data-internal': true, 'aria-label': `Remove the filter ${label}`, title: 'Remove'}, '×'));
  });
  if (chips.length > 1) chips.push(make('li', {}, make('a', {href: state.href({}), 'data-internal': true, class: 'quiet'}, 'remove all')));
  $('chips').replaceChildren(...chips);
  const since = $('since');
  const value = filters.get('since') ?? '';
  since.querySelector('[value=window]').textContent = filters.has('until') ? 'window' : value;
  since.value = filters.has('until') || ![...since.options].some((o) => o.value === value) ? 'window' : value;
}

function edit(name, text) {
  state.go(state.href(state.withFilters({[name]: undefined})));
  input.value = text;
  input.focus();
}

// parse parses the text of the field. It returns the filters, or an error message.
function parse(text) {
  const found = {};
  for (const word of words(text)) {
    const at = word.indexOf('=');
    if (at > 0) found[word.slice(0, at)] = word.slice(at + 1);
    else if (word.startsWith('ebpf.')) found.type = word;
    else if (/^[\d.]+$/.test(word) && word.includes('.') || (word.match(/:/g) ?? []).length > 1) found.address = word;
    else if (/^\d+$/.test(word)) return {wrong: `Write pid=${word} or port=${word}.`};
    else found.command = word;
  }
  return {found};
}

// words splits a text at spaces. A value with spaces needs quotation marks: unit="a b".
const words = (text) => [...text.matchAll(/(?:[^\s"]+|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ''));

$('filter').addEventListener('submit', (event) => {
  event.preventDefault();
  const {found, wrong} = parse(input.value.trim());
  if (wrong) {
    $('filter-error').hidden = false;
    $('filter-error').replaceChildren(wrong);
    return;
  }
  input.value = '';
  state.go(state.href(state.withFilters(found)));
});

$('since').addEventListener('change', ({target}) => {
  if (target.value !== 'window') state.go(state.href(state.withFilters({since: target.value || undefined, until: undefined})));
});

// It first suggests names of filters, and after the = their most frequent values.
let suggesting;
let timer;
input.addEventListener('focus', suggest);
input.addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(suggest, 250);
});

async function suggest() {
  suggesting?.abort();
  const controller = suggesting = new AbortController();
  const text = input.value;
  const before = text.slice(0, text.lastIndexOf(' ') + 1);
  const [name, value] = text.slice(before.length).split('=', 2);
  let list = names.map((n) => (n.endsWith('.') ? n : n + '='));
  if (value !== undefined) {
    list = [];
    if (name === 'severity') list = severities.map((s) => `severity=${s}`);
    else if (counted.has(name) || (name.startsWith('attr.') && name !== 'attr.')) {
      try {
        const answer = await ask('api/summary', {by: name, since: '15m', limit: 30}, {signal: controller.signal});
        list = answer.groups.filter((g) => g.by[name] !== null).map((g) => `${name}=${/\s/.test(g.by[name]) ? `"${g.by[name]}"` : g.by[name]}`);
      } catch {
        return; // without suggestions
      }
    }
  }
  $('suggestions').replaceChildren(...list.map((s) => make('option', {value: before + s})));
}
