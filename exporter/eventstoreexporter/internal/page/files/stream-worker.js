// Reads the stream of events in its own thread, so that the page stays responsive at any rate of events. It parses and passes on
// only as many events as people can read, and counts the others.

// every is the interval at which events are passed on, in milliseconds.
const every = 150;
// most is the maximum number of events passed on per second on average. A burst may have twice as many as the table has rows, so
// that the stored events and those that arrive meanwhile do not exceed it.
const most = 250;
// silence is how long the server may send nothing. It sends at least a comment every 15 seconds.
const silence = 40_000;
const waits = [1, 1, 2, 3, 5];

let controller = new AbortController();

addEventListener('message', ({data}) => {
  controller.abort();
  controller = new AbortController();
  if (data.url) new Stream(data, controller.signal).follow();
});

class Stream {
  constructor({id, url, limit}, signal) {
    this.id = id;
    this.url = url;
    this.limit = limit;
    this.burst = 2 * limit;
    this.signal = signal;
    this.last = '';
    this.reset();
  }

  reset() {
    this.blocks = []; // not yet passed on
    this.came = 0;
    this.missed = 0;
    this.allowance = this.burst;
    this.passed = performance.now();
  }

  post(message) {
    if (!this.signal.aborted) postMessage({id: this.id, ...message});
  }

  // follow connects, and reconnects after the last received event whenever the connection ends.
  async follow() {
    for (let failures = 0; !this.signal.aborted; failures++) {
      const connected = await this.connect();
      if (connected === 'refused') return;
      if (connected === 'served') failures = 0;
      const seconds = waits[Math.min(failures, waits.length - 1)];
      this.post({state: 'waiting', seconds, failures: failures + 1});
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }

  async connect() {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    this.signal.addEventListener('abort', abort);
    let timer = setTimeout(abort, silence);
    let served = 'failed';
    try {
      const url = new URL(this.url);
      if (this.last !== '') url.searchParams.set('after', this.last);
      else url.searchParams.set('limit', this.limit);
      const response = await fetch(url, {signal: attempt.signal, cache: 'no-store', headers: {Accept: 'text/event-stream'}});
      if (!response.ok) {
        const text = await response.text();
        this.post({state: 'refused', status: response.status, text});
        return response.status < 500 ? 'refused' : 'failed';
      }
      this.reset();
      served = 'served';
      this.post({state: 'open'});
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const {done, value} = await reader.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(abort, silence);
        rest = this.take(rest + value);
      }
    } catch {
      // the collector has ended or cannot be reached
    } finally {
      clearTimeout(timer);
      this.signal.removeEventListener('abort', abort);
      this.pass();
    }
    return served;
  }

  // take takes the complete blocks of a text and returns the rest.
  take(text) {
    const blocks = text.split('\n\n');
    const rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith(':')) this.missed += Number(/^: missed: of (\d+)/.exec(block)?.[1] ?? 0);
      else if (block !== '') {
        this.blocks.push(block);
        this.came++;
      }
    }
    const newest = this.blocks.at(-1);
    if (newest !== undefined) this.last = newest.slice('id: '.length, newest.indexOf('\n'));
    if (this.blocks.length > this.burst) this.blocks.splice(0, this.blocks.length - this.burst);
    if ((this.came > 0 || this.missed > 0) && this.timer === undefined) this.timer = setTimeout(() => this.pass(), every);
    return rest;
  }

  pass() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.came === 0 && this.missed === 0) return;
    const now = performance.now();
    this.allowance = Math.min(this.burst, this.allowance + (now - this.passed) / 1000 * most);
    this.passed = now;
    const wanted = this.blocks.slice(-Math.max(1, Math.floor(this.allowance)));
    const events = wanted.map((block) => JSON.parse(block.slice(block.indexOf('\ndata: ') + '\ndata: '.length)));
    this.post({events, came: this.came, skipped: this.came - events.length, missed: this.missed});
    this.allowance -= events.length;
    this.blocks = [];
    this.came = this.missed = 0;
  }
}
