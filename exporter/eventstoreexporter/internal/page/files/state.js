// What is shown is said by the address of the page: each parameter of its query is one of the API, but "view". A link shows the
// same to others. The fragment names the event whose details are open.

const listeners = [];
const own = 'view';

export const view = () => new URLSearchParams(location.search).get(own) ?? 'events';

// filters are the parameters of the API.
export function filters() {
  const parameters = new URLSearchParams(location.search);
  parameters.delete(own);
  return parameters;
}

// isLive is whether events that come in are wanted.
export const isLive = () => !filters().has('until');

// href is the address with other filters.
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

// go shows other filters, and makes an entry in the history.
export function go(to) {
  const next = new URL(to, document.baseURI);
  if (next.search !== location.search || next.hash !== location.hash) history.pushState(null, '', next);
  changed();
}

// setFragment names the open event, without an entry in the history.
export function setFragment(text) {
  history.replaceState(null, '', location.pathname + location.search + (text ? '#' + text : ''));
}

addEventListener('popstate', changed);
