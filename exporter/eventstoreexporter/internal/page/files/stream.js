// The stream of events, which a worker reads.
import {address} from './api.js';

const script = new URL('stream-worker.js', import.meta.url).href;
// The policy of the page lets nothing name a script but this.
const trusted = globalThis.trustedTypes?.createPolicy('worker', {createScriptURL: () => script});
const worker = new Worker(trusted ? trusted.createScriptURL('') : script);

let id = 0;
let receive = () => {};

worker.addEventListener('message', ({data}) => {
  if (data.id === id) receive(data);
});

// follow begins to follow what matches the filters. to gets what the worker posts. What was followed before ends.
export function follow(filters, limit, to) {
  id++;
  receive = to;
  worker.postMessage({id, url: address('api/events/stream', filters), limit});
}

// end ends the stream.
export function end() {
  id++;
  worker.postMessage({});
}
