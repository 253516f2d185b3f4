// The stream of events, which a worker reads.
import {address} from './api.js';

const script = new URL('stream-worker.js', import.meta.url).href;
// The content security policy of the page (trusted types) allows script URLs only from this policy.
const trusted = globalThis.trustedTypes?.createPolicy('worker', {createScriptURL: () => script});
const worker = new Worker(trusted ? trusted.createScriptURL('') : script);

let id = 0;
let receive = () => {};

worker.addEventListener('message', ({data}) => {
  if (data.id === id) receive(data);
});

// follow ends the previous stream and starts one for the filters. to gets the messages of the worker.
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
