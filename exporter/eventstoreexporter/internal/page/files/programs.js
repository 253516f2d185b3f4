// The list of eBPF programs: their state, hooks, and the events that they delivered and lost.
import {ask} from './api.js';
import {$, make, say} from './dom.js';
import {count, dayAndTime} from './format.js';
import {Poll} from './poll.js';
import * as state from './state.js';
import * as status from './status.js';

const poll = new Poll(async (signal) => {
  const answer = await ask('api/programs', {}, {signal});
  status.about(answer);
  $('programs').replaceChildren(...answer.programs.flatMap(rows));
  const empty = $('programs-empty');
  $('programs-table').hidden = answer.programs.length === 0;
  empty.hidden = answer.programs.length > 0;
  say(empty, 'No program has reported. The receiver ebpf reports its programs when it starts. If none runs, its log has the reason.');
}, 3000);

export const show = () => poll.now();
export const hide = () => poll.stop();

const cell = (kind, ...children) => make('td', {role: 'cell', class: kind}, ...children);

function rows(program) {
  const lost = Object.entries(program.lost).filter(([, n]) => n > 0);
  const failed = program.state === 'failed';
  const sum = lost.reduce((s, [, n]) => s + n, 0);
  const link = (parameters, text) => make('a', {href: state.href(parameters), 'data-internal': true}, text);
  const row = make('tr', {role: 'row', 'data-level': failed ? 'error' : lost.length > 0 ? 'warn' : 'info', 'data-program': program.name},
    cell('name', link({type: program.name}, program.name)),
    cell('state', program.state ?? 'not known'),
    cell('right number', count(program.events)),
    cell('right number lost', sum === 0 ? '0' :
      link({type: 'ebpf.event.lost', 'attr.ebpf.program.name': program.name}, `${count(sum)} (${lost.map(([cause, n]) => `${cause} ${count(n)}`).join(', ')})`)),
    cell('hook code', program.hook ?? ''),
    cell('number', program.state_since ? dayAndTime(new Date(program.state_since)) : ''));
  if (!program.error) return [row];
  return [row, make('tr', {role: 'row', class: 'why', 'data-level': 'error'}, make('td', {role: 'cell', colspan: 6}, program.error))];
}
