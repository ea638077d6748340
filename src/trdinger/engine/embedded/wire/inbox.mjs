// What the server's thread hands to the engine's: sessions that begin and end, and clients' messages.
// Waiting blocks the thread, which is what the engine needs; order is kept; nothing is looked into.

import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { ABANDONED, CANCEL, WAKE } from "./shared.mjs";

export class Inbox {
  #port;
  #words;
  #batch = Buffer.alloc(0);
  #at = 0;
  #back = null;
  #ended = 0; // the session whose end was already handed out, in the middle of its COPY
  #held = null; // an item that is not for the session that asked

  constructor(port, words) {
    this.#port = port;
    this.#words = words;
  }

  // The next item, whatever it is: {begin}, {input, serial}, {end} or {stop}.
  item(cancellable = false) {
    if (this.#held) {
      const held = this.#held;
      this.#held = null;
      return held;
    }
    for (;;) {
      const seen = Atomics.load(this.#words, WAKE);
      const received = receiveMessageOnPort(this.#port);
      if (received) return received.message;
      if (cancellable && Atomics.compareExchange(this.#words, CANCEL, 1, 0) === 1) return "cancelled";
      Atomics.wait(this.#words, WAKE, seen);
    }
  }

  // The session's next message, null once it has ended. With `cancellable`, "cancelled" instead of waiting on.
  message(serial, { cancellable = false } = {}) {
    if (this.#ended === serial) return null;
    if (this.#back) {
      const back = this.#back;
      this.#back = null;
      return back;
    }
    for (;;) {
      if (Atomics.load(this.#words, ABANDONED) === serial) this.#batch = Buffer.alloc(0);
      if (this.#at < this.#batch.length) {
        const size = this.#batch.readUInt32BE(this.#at + 1) + 1;
        const next = this.#batch.subarray(this.#at, this.#at + size);
        this.#at += size;
        return next;
      }
      const item = this.item(cancellable);
      if (item === "cancelled") return item;
      if (item.stop) {
        this.#held = item;
        return null;
      }
      if (item.end === serial) {
        this.#ended = serial;
        return null;
      }
      if (item.input && item.serial === serial) {
        this.#batch = Buffer.from(item.input.buffer, item.input.byteOffset, item.input.byteLength);
        this.#at = 0;
        parentPort.postMessage({ consumed: item.input.byteLength, serial });
      }
    }
  }

  putBack(message) {
    this.#back = message;
  }
}
