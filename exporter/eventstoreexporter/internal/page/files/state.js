// The address of the page holds its state, so that a link shows the same to others. The parameters of the query are those of the
// API, except "view". The fragment names the event whose details are open.

const listeners = [];
const own = 'view';

export const view = () => new URLSearchParams(location.search).get(own) ?? 'events';

// filters returns the parameters for the API.
export function filters() {
  const parameters = new URLSearchParams(location.search);
  parameters.delete(own);
  return parameters;
}

// isLive returns whether the table shows new events.
export const isLive = () => !filters().has('until');

// href returns the address with other filters.
export const href = (parameters) => {
  const text = new URLSearchParams(parameters).toString();
  return text === '' ? location.pathname : '?' + text;
};

// withFilters returns the filters with some of them changed; undefined removes one.
export function withFilters(changes, from = filters()) {
  const parameters = new URLSearchParams(from);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) parameters.delete(name);
    else parameters.set(name, value);
  }
  return parameters;
}

// onChange is called when the address has changed.
export const onChange = (listener) => listeners.push(listener);

const changed = () => listeners.forEach((listener) => listener());

// go changes the filters and adds an entry to the history.
export function go(to) {
  const next = new URL(to, document.baseURI);
  if (next.search !== location.search || next.hash !== location.hash) history.pushState(null, '', next);
  changed();
}

// setFragment sets the open event without an entry in the history.
export function setFragment(text) {
  history.replaceState(null, '', location.pathname + location.search + (text ? '#' + text : ''));
}

addEventListener('popstate', changed);
