// Asks again and again, but not more often than the collector can bear, and not while nobody looks.

// share is how much of the time at most is spent waiting for answers.
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

  // now asks at once, and then again and again.
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
    if (this.controller !== controller) return; // asked for something else meanwhile
    this.controller = undefined;
    if (document.hidden || !this.wanted) return;
    const took = performance.now() - start;
    this.timer = setTimeout(() => this.run(), failed ? 3000 : Math.max(this.interval, took / share));
  }
}
