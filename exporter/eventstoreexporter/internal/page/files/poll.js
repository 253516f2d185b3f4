// Repeats requests. It slows down if the collector answers slowly, and stops while the page is hidden.

// share is the maximum share of time in which a request is running.
const share = 0.2;

export class Poll {
  // work is async and takes an AbortSignal. interval is in milliseconds.
  constructor(work, interval) {
    this.work = work;
    this.interval = interval;
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.wanted && !this.controller) this.now();
    });
  }

  // now makes a request at once, and repeats it.
  now() {
    this.stop();
    this.wanted = true;
    this.run();
  }

  stop() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.controller?.abort();
    this.controller = undefined;
  }

  async run() {
    const controller = new AbortController();
    this.controller = controller;
    const start = performance.now();
    let failed = false;
    try {
      await this.work(controller.signal);
    } catch (error) {
      failed = true;
      if (this.controller === controller && error.status === 422) this.wanted = false; // the answer would be the same
    }
    if (this.controller !== controller) return; // a newer request has replaced this one
    this.controller = undefined;
    if (document.hidden || !this.wanted) return;
    const took = performance.now() - start;
    this.timer = setTimeout(() => this.run(), failed ? 3000 : Math.max(this.interval, took / share));
  }
}
