// Puts the parts of the page together.
import './brush.js';
import './keyboard.js';
import * as chart from './chart.js';
import * as detail from './detail.js';
import {$, isPlainClick, say} from './dom.js';
import * as events from './events.js';
import * as filters from './filters.js';
import * as problems from './problems.js';
import * as programs from './programs.js';
import * as state from './state.js';
import * as status from './status.js';
import * as table from './table.js';

// show draws every part by the state in the address.
function show() {
  const isPrograms = state.view() === 'programs';
  $('view-events').hidden = isPrograms;
  $('view-programs').hidden = !isPrograms;
  for (const [id, current, to] of [
    ['tab-events', !isPrograms, state.href(state.filters())],
    ['tab-programs', isPrograms, state.href(state.withFilters({view: 'programs'}))],
  ]) {
    const tab = $(id);
    tab.setAttribute('href', to);
    if (current) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  filters.draw();
  status.refresh();
  detail.fromAddress();
  events.show();
  if (isPrograms) {
    chart.hide();
    programs.show();
  } else {
    programs.hide();
    chart.show();
  }
}

// A plain click on a link within the page changes the state without a reload. With Ctrl or the middle button it opens a tab.
addEventListener('click', (event) => {
  const link = event.target.closest?.('a[data-internal], nav[aria-label="Views"] a');
  if (!link || !isPlainClick(event)) return;
  event.preventDefault();
  state.go(link.getAttribute('href'));
  if (link.closest('#problems, #detail')) $('filter').scrollIntoView({block: 'nearest'});
});

$('copy').addEventListener('click', ({target}) => detail.copyText(target, location.href));

say($('host'), location.host);
table.start(detail.show, events.draw);
state.onChange(show);
status.start();
problems.start();
show();
