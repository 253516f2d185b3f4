// The list of problems at the top of the page.
import {ask} from './api.js';
import {$, make, say} from './dom.js';
import {ago, count, level} from './format.js';
import {Poll} from './poll.js';
import * as state from './state.js';
import * as status from './status.js';

const few = 5;
let all = false;
let newest = [];

const poll = new Poll(async (signal) => {
  const answer = await ask('api/problems', {}, {signal});
  status.about(answer);
  newest = answer.problems;
  document.title = (newest.length > 0 ? `(${newest.length}) ` : '') + `Events · ${location.host}`;
  draw(answer.left_out);
}, 4000);

export const start = () => poll.now();

function draw(left = 0) {
  const shown = all ? newest : newest.slice(0, few);
  const focused = document.activeElement?.closest('#problems a')?.dataset.key;
  $('problems').replaceChildren(...shown.map(item));
  if (focused) [...$('problems').querySelectorAll('a')].find((a) => a.dataset.key === focused)?.focus();
  const empty = $('problems-empty');
  empty.hidden = newest.length > 0;
  say(empty, 'No problems.');
  const more = $('problems-more');
  more.hidden = newest.length <= few;
  say(more, all ? 'Show fewer' : `Show all ${newest.length + left}`);
}

function item(problem) {
  const query = problem.events.slice(problem.events.indexOf('?'));
  const how = level(problem.sample?.severity ?? 'warn');
  const last = new Date(problem.last);
  return make('li', {'data-level': how, 'data-kind': problem.kind},
    make('a', {href: query, 'data-internal': true, 'data-key': problem.kind + problem.title, title: problem.sample?.body},
      make('span', {class: 'mark', 'aria-hidden': 'true'}),
      make('span', {class: 'hidden'}, `${how}: `),
      make('span', {class: 'title'}, problem.title),
      make('span', {class: 'count number'}, count(problem.count), make('span', {class: 'quiet'}, ' ×')),
      make('span', {class: 'change quiet number'}, change(problem)),
      make('time', {class: 'quiet number', datetime: problem.last}, ago(last))));
}

// change compares the number with that of the previous window.
function change({count: now, count_before: before}) {
  if (before === 0) return 'new';
  const ratio = now / before;
  if (ratio >= 1.2) return `↑ ${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)}×`;
  return ratio <= 0.8 ? `↓ from ${count(before)}` : 'as before';
}

$('problems-more').addEventListener('click', () => {
  all = !all;
  draw();
});
