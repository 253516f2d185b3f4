// Selects a window of time in the chart, by dragging or by keys.
import * as chart from './chart.js';
import {$} from './dom.js';
import {clockTime} from './format.js';
import * as state from './state.js';

const brush = $('brush');
let anchor; // where dragging or extending began, as a time
let cursor;

const clamp = (time) => Math.min(Math.max(time, chart.range().from), chart.range().to);
const snap = (time) => clamp(Math.round(time / chart.range().step) * chart.range().step);

function timeAt(event) {
  const box = brush.getBoundingClientRect();
  const {from, to} = chart.range();
  return clamp(from + (event.clientX - box.left) / box.width * (to - from));
}

function place(element, from, to) {
  const range = chart.range();
  const percent = (time) => (clamp(time) - range.from) / (range.to - range.from) * 100;
  element.style.left = percent(from) + '%';
  if (to !== undefined) element.style.width = percent(to) - percent(from) + '%';
  element.hidden = false;
}

// draw shows the window that is being selected, or else the one in the address.
function draw() {
  if (!chart.range()) return;
  const selection = anchor === undefined ? chart.chosen() : {from: Math.min(anchor, cursor), to: Math.max(anchor, cursor)};
  if (selection) place($('brush-window'), snap(selection.from), snap(selection.to));
  else $('brush-window').hidden = true;
  if (cursor === undefined) $('brush-cursor').hidden = true;
  else place($('brush-cursor'), cursor);
  const {from, to} = chart.range();
  brush.setAttribute('aria-valuenow', cursor === undefined ? '0' : String((cursor - from) / (to - from)));
  brush.setAttribute('aria-valuetext', selection ? `${clockTime(new Date(selection.from))} to ${clockTime(new Date(selection.to))}` :
    cursor === undefined ? 'no window' : clockTime(new Date(cursor)));
}

// take writes the window into the address.
function take() {
  const from = snap(Math.min(anchor, cursor));
  const to = snap(Math.max(anchor, cursor));
  anchor = undefined;
  if (to > from) state.go(state.href(state.withFilters({since: new Date(from).toISOString(), until: new Date(to).toISOString()})));
  draw();
}

brush.addEventListener('pointerdown', (event) => {
  if (event.button !== 0 || !chart.range()) return;
  brush.setPointerCapture(event.pointerId);
  anchor = cursor = timeAt(event);
  draw();
});
brush.addEventListener('pointermove', (event) => {
  if (!chart.range()) return;
  cursor = timeAt(event);
  chart.valuesAt(cursor);
  draw();
});
brush.addEventListener('pointerup', () => anchor !== undefined && take());
brush.addEventListener('pointercancel', clear);
brush.addEventListener('pointerleave', () => anchor === undefined && clear());
brush.addEventListener('blur', clear);

function clear() {
  anchor = cursor = undefined;
  chart.valuesAt(undefined);
  draw();
}

brush.addEventListener('keydown', (event) => {
  const range = chart.range();
  if (!range) return;
  const by = {ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10}[event.key];
  if (by !== undefined) {
    const from = cursor ?? range.to;
    if (event.shiftKey) anchor ??= from;
    else anchor = undefined;
    cursor = snap(from + by * range.step);
    chart.valuesAt(cursor);
  } else if (event.key === 'Enter' && anchor !== undefined) take();
  else if (event.key === 'Escape' && cursor !== undefined) clear();
  else return;
  event.preventDefault();
  event.stopPropagation();
  draw();
});

document.addEventListener('chart-drawn', () => {
  if (cursor !== undefined) cursor = clamp(cursor);
  draw();
});
