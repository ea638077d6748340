// One client's connection: its start-up, its bytes to the engine and the engine's to it.
// Whose turn it is, is decided elsewhere (turns.mjs); what its statements mean, by the engine.

import { randomInt } from "node:crypto";
import {
  CANCEL_REQUEST, CONTROL_KEEP, CONTROL_LEASE, CONTROL_STATUS, GSSENC_REQUEST, PROTOCOL_3, SSL_REQUEST,
  errorResponse, Framer, int32, message, ProtocolViolation, StartupFramer, startupParameters,
} from "./messages.mjs";

const UNREAD = 8 << 20; // bytes that may wait for the engine before the client is held back
const STARTUP_TIMEOUT = 10_000; // milliseconds

let lastSerial = 0;

export class Client {
  serial = ++lastSerial;
  secret = randomInt(1, 2 ** 31 - 1);
  since = new Date();
  parameters = null;
  #socket;
  #server;
  #startup = new StartupFramer();
  #framer = new Framer();
  #state = "startup"; // then queued, serving, leaving, control or gone
  #unread = 0;
  #timer;

  // server: enqueue(client), leave(client, {abandoned}), input(client, messages), cancel(serial, secret), control(code, socket)
  constructor(socket, server) {
    this.#socket = socket;
    this.#server = server;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
    this.#timer = setTimeout(() => socket.destroy(), STARTUP_TIMEOUT);
  }

  get name() {
    return this.parameters?.settings.application_name || "an unnamed client";
  }

  // Its turn has come: what it sent while it waited follows.
  serve() {
    this.#state = "serving";
    const early = this.#startup.rest();
    if (early.length) this.#receive(early);
  }

  write(bytes, sent) {
    if (this.#socket.destroyed) sent();
    else this.#socket.write(bytes, () => sent());
  }

  consumed(count) {
    this.#unread -= count;
    if (this.#socket.isPaused() && this.#unread < UNREAD / 2) this.#socket.resume();
  }

  // Sends a last word and closes.
  dismiss(code, text, more) {
    this.#state = "gone";
    clearTimeout(this.#timer);
    if (!this.#socket.destroyed) this.#socket.end(errorResponse("FATAL", code, text, more));
  }

  // The engine has finished with it.
  finish() {
    this.#state = "gone";
    if (!this.#socket.destroyed) this.#socket.end();
  }

  #receive(chunk) {
    try {
      if (this.#state === "startup") this.#begin(chunk);
      else if (this.#state === "queued") this.#startup.push(chunk);
      else if (this.#state === "serving") this.#forward(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      const serving = this.#state === "serving";
      this.dismiss("08P01", error.message);
      this.#server.leave(this, { abandoned: serving });
    }
  }

  #begin(chunk) {
    this.#startup.push(chunk);
    for (let packet; this.#state === "startup" && (packet = this.#startup.next()); ) this.#packet(packet);
  }

  #packet({ code, body }) {
    if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
      this.#socket.write("N");
    } else if (code === CANCEL_REQUEST) {
      this.#state = "control";
      if (body.length >= 8) this.#server.cancel(body.readInt32BE(0), body.readInt32BE(4));
      this.#socket.end();
    } else if ([CONTROL_STATUS, CONTROL_LEASE, CONTROL_KEEP].includes(code)) {
      this.#state = "control";
      clearTimeout(this.#timer);
      this.#server.control(code, this.#socket);
    } else if (code >> 16 === 3) {
      this.#enqueue(code, startupParameters(body));
    } else {
      throw new ProtocolViolation(`unsupported frontend protocol ${code >> 16}.${code & 0xffff}: this server speaks 3.0`);
    }
  }

  #enqueue(code, parameters) {
    clearTimeout(this.#timer);
    this.parameters = parameters;
    if (!parameters.user) throw new ProtocolViolation("no PostgreSQL user name specified in startup packet");
    if (parameters.replication && !/^(false|off|no|0)$/i.test(parameters.replication)) {
      throw new ProtocolViolation("the embedded TimescaleDB does not replicate");
    }
    if (code !== PROTOCOL_3 || parameters.extensions.length) {
      const names = parameters.extensions.map((name) => Buffer.from(name + "\0"));
      this.#socket.write(message("v", int32(PROTOCOL_3, names.length), ...names));
    }
    this.#state = "queued";
    this.#server.enqueue(this);
  }

  #forward(chunk) {
    const { messages, terminated } = this.#framer.push(chunk);
    if (messages.length) {
      this.#unread += messages.length;
      if (this.#unread > UNREAD) this.#socket.pause();
      this.#server.input(this, messages);
    }
    if (terminated) {
      this.#state = "leaving";
      this.#server.leave(this, { abandoned: false });
    }
  }

  #closed() {
    clearTimeout(this.#timer);
    const state = this.#state;
    this.#state = "gone";
    if (state === "queued" || state === "serving") this.#server.leave(this, { abandoned: state === "serving" });
  }
}
