// The server's handle on the engine's thread: sessions, their bytes, cancellation, and starting it again.
// A thread that dies is replaced, and the directory recovers from its log as after a kill.

import { MessageChannel, Worker } from "node:worker_threads";
import { ABANDONED, ACKNOWLEDGED, BUSY, CANCEL, STATEMENT, TIMED_OUT, WAKE, WORDS } from "./shared.mjs";

const STACK = 256; // MiB; with Node's usual 4, nested JSON or expressions of some thousand levels end the engine
const DEAF = 30_000; // milliseconds after which a cancelled statement that still runs is ended with the engine

export class Engine {
  #settings;
  #worker;
  #port;
  #words;
  #flags; // the engine's own, in its memory
  #listener;
  #timer; // of statement_timeout
  #opened;
  #why; // the engine ended, as far as it could say
  #stopped;

  // listener: output(serial, bytes, sent), consumed(serial, n), refused(serial), ended(serial), crashed(reason)
  constructor(settings, listener) {
    this.#settings = settings;
    this.#listener = listener;
  }

  // Resolves to {version, extension} once the directory is open.
  open() {
    const { port1, port2 } = new MessageChannel();
    const shared = new SharedArrayBuffer(4 * WORDS);
    this.#words = new Int32Array(shared);
    this.#port = port1;
    this.#worker = new Worker(new URL("./backend.mjs", import.meta.url), {
      workerData: { ...this.#settings, inbox: port2, shared },
      transferList: [port2],
      resourceLimits: { stackSizeMb: STACK },
    });
    this.#stopped = new Promise((resolve) => this.#worker.once("exit", resolve));
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      let created = false;
      this.#why = null;
      this.#opened = false;
      worker.on("message", (said) => {
        if (said.opened) {
          this.#opened = true;
          this.#flags = said.flags;
          resolve(said.opened);
        } else if (said.output) this.#output(said);
        else if (said.consumed) this.#listener.consumed(said.serial, said.consumed);
        else if (said.limit !== undefined) this.#limit(said.limit);
        else if (said.created) created = true;
        else if (said.refused) this.#listener.refused(said.refused);
        else if (said.ended) this.#listener.ended(said.ended);
        else if (said.crashed) this.#why = said.crashed;
        else if (said.stopped) this.#opened = false;
      });
      worker.on("error", (error) => (this.#why = String(error?.stack ?? error)));
      worker.on("exit", (code) => {
        if (created) return this.open().then(resolve, reject);
        const reason = this.#why ?? `the engine's thread ended with code ${code}`;
        if (!this.#opened) return reject(new Error(reason)); // after a stop nobody listens
        this.#opened = false;
        this.#listener.crashed(reason);
      });
    });
  }

  begin(session) {
    this.#put({ begin: session });
  }

  // messages: whole ones, in one buffer, which is given away.
  input(serial, messages) {
    this.#put({ input: messages, serial });
  }

  // The client has nothing more to say. `abandoned`: it is gone, drop what it sent and cancel what runs.
  end(serial, { abandoned = false } = {}) {
    if (abandoned) {
      Atomics.store(this.#words, ABANDONED, serial);
      Atomics.notify(this.#words, ACKNOWLEDGED);
      this.cancel();
    }
    this.#put({ end: serial });
  }

  // Cancels the statement that runs, if one does.
  cancel() {
    if (Atomics.load(this.#words, BUSY) === 0) return;
    Atomics.store(this.#flags, 1, 1);
    Atomics.store(this.#flags, 0, 1);
    Atomics.store(this.#words, CANCEL, 1); // last: it wakes, and whoever wakes looks at the flags
    this.#wake();
    const statement = Atomics.load(this.#words, STATEMENT);
    const [worker, words] = [this.#worker, this.#words];
    setTimeout(() => {
      const runs = Atomics.load(words, BUSY) === 1 && Atomics.load(words, STATEMENT) === statement;
      if (!runs || worker !== this.#worker) return;
      this.#why = `a statement went on for ${DEAF / 1000} s after its cancellation`;
      worker.terminate();
    }, DEAF).unref();
  }

  // Checkpoint and close; false if that took longer than `within` milliseconds.
  async stop(within) {
    if (!this.#opened) return true;
    this.#put({ stop: true });
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, within, "late")));
    const outcome = await Promise.race([this.#stopped, late]);
    clearTimeout(timer);
    return outcome !== "late";
  }

  // statement_timeout: the engine's thread computes and keeps no time.
  #limit(milliseconds) {
    clearTimeout(this.#timer);
    if (milliseconds === 0) return;
    this.#timer = setTimeout(() => {
      if (Atomics.load(this.#words, BUSY) === 1) Atomics.store(this.#words, TIMED_OUT, 1);
      this.cancel();
    }, milliseconds);
  }

  #output({ output, serial }) {
    const words = this.#words;
    this.#listener.output(serial, output, () => {
      Atomics.add(words, ACKNOWLEDGED, output.length);
      Atomics.notify(words, ACKNOWLEDGED);
    });
  }

  #put(item) {
    this.#port.postMessage(item);
    this.#wake();
  }

  #wake() {
    Atomics.add(this.#words, WAKE, 1);
    Atomics.notify(this.#words, WAKE);
  }
}
