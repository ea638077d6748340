// One client at a time, first come, first served; who waits too long is told who has the turn and since when.

export class Turns {
  #waiting = []; // {client, timer}
  #current = null;
  #since = null;
  #patience;
  #start;

  // patience: milliseconds; start(client) is called when its turn comes.
  constructor(patience, start) {
    this.#patience = patience;
    this.#start = start;
  }

  get current() {
    return this.#current;
  }

  get idle() {
    return this.#current === null && this.#waiting.length === 0;
  }

  get waiting() {
    return this.#waiting.map(({ client }) => client);
  }

  join(client) {
    if (this.#current === null) return this.#give(client);
    const timer = setTimeout(() => this.#giveUp(client), this.#patience);
    this.#waiting.push({ client, timer });
  }

  // True if the client was only waiting, and now is not.
  leave(client) {
    const at = this.#waiting.findIndex((entry) => entry.client === client);
    if (at < 0) return false;
    clearTimeout(this.#waiting[at].timer);
    this.#waiting.splice(at, 1);
    return true;
  }

  next() {
    this.#current = null;
    const entry = this.#waiting.shift();
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#give(entry.client);
  }

  #give(client) {
    this.#current = client;
    this.#since = new Date();
    this.#start(client);
  }

  #giveUp(client) {
    if (!this.leave(client)) return;
    const held = Math.round((Date.now() - this.#since) / 1000);
    client.dismiss(
      "53300",
      `The embedded TimescaleDB serves one connection at a time; "${this.#current.name}" has held it since ` +
        `${this.#since.toISOString()} (${held} s), and this one waited ${this.#patience / 1000} s.`,
      { hint: "Close that connection first (use a pool of one), or use a TimescaleDB server for several at a time." },
    );
  }
}
