// Keyboard shortcuts. The help of the page lists them.
import * as detail from './detail.js';
import {$} from './dom.js';
import * as events from './events.js';
import * as state from './state.js';
import * as table from './table.js';

const help = $('help');

const keys = {
  '/': () => $('filter-input').focus(),
  '?': () => help.showModal(),
  p: pause,
  ' ': pause,
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  x: () => state.go(state.href({})),
  l: () => state.go(state.href(state.withFilters({since: undefined, until: undefined}))),
  1: () => state.go(state.href(state.filters())),
  2: () => state.go(state.href(state.withFilters({view: 'programs'}))),
};

function pause() {
  if (state.isLive()) events.pause();
}

// step moves to another event, and shows it in the details if they are open.
function step(by) {
  const event = table.step(by);
  if (event && detail.isOpen()) detail.show(event, {focus: false});
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help.open) return;
  const {target} = event;
  if (event.key === 'Escape') {
    if (target.matches('input, select')) target.blur();
    else detail.close();
    return;
  }
  if (target.matches('input, select, textarea')) return;
  if (event.key === ' ' && target.matches('a, button')) return;
  const inTable = target.closest('#rows') !== null || detail.isOpen();
  if (event.key.startsWith('Arrow') && !inTable) return; // the page scrolls
  const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
  if (!act) return;
  event.preventDefault();
  act();
});

$('help-open').addEventListener('click', () => help.showModal());
help.addEventListener('click', (event) => event.target === help && help.close());
