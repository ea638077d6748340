// What the engine writes, message by message, on its way to the client.
// Passes results through in pieces, learns what they say about the session (COPY under way,
// parameters, the state of the transaction), and drops the engine's own debugging notices.

import { errorFields } from "./messages.mjs";

const PIECE = 65_536; // bytes handed over at a time; larger gained nothing

const [COPY_IN, COMPLETE, ERROR, NOTICE, PARAMETER, READY, AUTH, KEY] = [..."GCENSZRK"].map((c) => c.charCodeAt(0));
const MAY_CHANGE_PARAMETERS = /^(SET|RESET|DISCARD ALL|DO|CALL)$/;
const ENDS_TRANSACTION = /^(COMMIT|ROLLBACK)$/;

export class Output {
  #buffer = Buffer.allocUnsafe(4 * PIECE);
  #length = 0; // bytes held
  #whole = 0; // of them, whole messages already looked at
  #hidden = null; // the messages of our own statement, which the client does not see
  #emit;
  #reword;

  parameters = new Map();
  ready = null; // ReadyForQuery held back until the statement's end
  copyIn = false; // the engine waits for CopyData
  settled = true; // the last ReadyForQuery is out, nothing was begun since
  touched = false; // a parameter may have changed since they were reported
  #setSeen = false; // in this session

  // emit(bytes): towards the client; reword(message): an ErrorResponse as the client shall have it.
  constructor(emit, { reword }) {
    this.#emit = emit;
    this.#reword = reword;
  }

  startSession() {
    this.#setSeen = false;
    this.touched = false;
  }

  push(bytes) {
    if (this.#length + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#scan();
    if (!this.#hidden && this.#whole >= PIECE) this.flush();
  }

  // Hands everything whole to the client.
  flush() {
    if (this.#hidden || this.#whole === 0) return;
    this.#emit(Buffer.from(this.#buffer.subarray(0, this.#whole)));
    this.#buffer.copyWithin(0, this.#whole, this.#length);
    this.#length -= this.#whole;
    this.#whole = 0;
    if (this.#buffer.length > 64 * PIECE && this.#length < PIECE) this.#shrink();
  }

  // Runs `work` and returns the messages that it caused, none of which the client sees.
  hide(work) {
    this.flush();
    this.#hidden = [];
    try {
      work();
      return this.#hidden;
    } finally {
      this.#hidden = null;
    }
  }

  #scan() {
    while (this.#length - this.#whole >= 5) {
      const buffer = this.#buffer;
      const at = this.#whole;
      const size = buffer.readUInt32BE(at + 1) + 1;
      if (this.#length - at < size) return;
      const keep = this.#look(buffer[at], buffer.subarray(at, at + size));
      if (keep === true) {
        this.#whole += size;
        continue;
      }
      if (keep) {
        this.flush();
        this.#emit(keep);
      }
      this.#buffer.copyWithin(this.#whole, this.#whole + size, this.#length);
      this.#length -= size;
    }
  }

  // True: passed on as it is; false: dropped; a message: that one instead.
  #look(type, bytes) {
    if (type === PARAMETER) this.#learn(bytes);
    if (this.#hidden) {
      this.#hidden.push(Buffer.from(bytes));
      return false;
    }
    switch (type) {
      case COPY_IN:
        this.copyIn = true;
        return true;
      case COMPLETE: {
        const tag = bytes.toString("latin1", 5, bytes.length - 1);
        if (MAY_CHANGE_PARAMETERS.test(tag)) this.touched = this.#setSeen = true;
        else if (this.#setSeen && ENDS_TRANSACTION.test(tag)) this.touched = true;
        return true;
      }
      case ERROR: {
        const error = Buffer.from(bytes);
        const reworded = this.#reword(error);
        return reworded === error ? true : reworded;
      }
      case NOTICE:
        return !/^# \d+: /.test(errorFields(bytes).M ?? "");
      case READY:
        this.ready = Buffer.from(bytes);
        return false;
      case AUTH:
      case KEY:
        return false;
      default:
        return true;
    }
  }

  #learn(bytes) {
    const cut = bytes.indexOf(0, 5);
    this.parameters.set(bytes.toString("utf8", 5, cut), bytes.toString("utf8", cut + 1, bytes.length - 1));
  }

  #grow(extra) {
    if (!this.#hidden) this.flush();
    let size = this.#buffer.length;
    while (size < this.#length + extra) size *= 2;
    if (size === this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(size);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  #shrink() {
    const smaller = Buffer.allocUnsafe(4 * PIECE);
    this.#buffer.copy(smaller, 0, 0, this.#length);
    this.#buffer = smaller;
  }
}
