// Requests to the API.

// Refused is the error for an answer whose status is not a success. Its details are the lines to show.
export class Refused extends Error {
  constructor(status, details) {
    super(details.join('; '));
    this.status = status;
    this.details = details;
  }
}

// address returns the URL of a request. It is relative, so that the page also works behind a proxy that adds a path.
export function address(path, parameters) {
  const url = new URL(path, document.baseURI);
  url.search = new URLSearchParams(parameters).toString();
  url.hash = '';
  return url.href;
}

// ask sends a request and returns the answer. It throws Refused, or TypeError if the collector does not answer.
export async function ask(path, parameters = {}, {signal, accept = []} = {}) {
  const response = await fetch(address(path, parameters), {signal, cache: 'no-store', headers: {Accept: 'application/json'}});
  if (!response.ok && !accept.includes(response.status)) throw refused(response.status, await response.text());
  return response.json();
}

// refused makes an error from an answer: a problem document (RFC 9457) or the text of a proxy.
export function refused(status, text) {
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // not of this API
  }
  const details = (problem.errors ?? []).map((e) => (e.location ? e.location.replace(/^query\./, '') + ': ' : '') + e.message);
  if (details.length === 0) details.push(problem.detail || `the server answers ${status}`);
  return new Refused(status, details);
}
