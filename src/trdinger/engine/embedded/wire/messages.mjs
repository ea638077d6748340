// PostgreSQL's wire messages: building them, and cutting a client's byte stream into them.
// Whatever the network's chunks are, what comes out is whole messages. Meaning is not judged here.

export const PROTOCOL_3 = 196608;
export const SSL_REQUEST = 80877103;
export const GSSENC_REQUEST = 80877104;
export const CANCEL_REQUEST = 80877102;
// Our own start-up codes, of the same family; see control.mjs.
export const CONTROL_STATUS = (1234 << 16) | 7000;
export const CONTROL_LEASE = (1234 << 16) | 7001;
export const CONTROL_KEEP = (1234 << 16) | 7002;

const MAX_STARTUP = 10_000; // bytes; PostgreSQL's own limit
const MAX_MESSAGE = 1 << 30; // bytes; PostgreSQL's limit for one Query or Bind
const COPY_DATA = 0x64;

export function message(type, ...parts) {
  const body = parts.map((part) => (typeof part === "string" ? Buffer.from(part + "\0") : part));
  const length = body.reduce((sum, part) => sum + part.length, 4);
  const head = Buffer.allocUnsafe(5);
  head[0] = type.charCodeAt(0);
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, ...body]);
}

export function int32(...values) {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  values.forEach((value, i) => bytes.writeInt32BE(value, 4 * i));
  return bytes;
}

export function errorResponse(severity, code, text, { detail, hint, where } = {}) {
  const field = (key, value) => (value ? Buffer.from(key + value + "\0") : Buffer.alloc(0));
  return message(
    "E",
    field("S", severity), field("V", severity), field("C", code), field("M", text),
    field("D", detail), field("H", hint), field("W", where), Buffer.from([0]),
  );
}

export function errorFields(bytes) {
  const fields = {};
  for (let at = 5; at < bytes.length && bytes[at] !== 0; ) {
    const end = bytes.indexOf(0, at + 1);
    fields[String.fromCharCode(bytes[at])] = bytes.toString("utf8", at + 1, end);
    at = end + 1;
  }
  return fields;
}

export class ProtocolViolation extends Error {}

// Cuts the stream before authentication: messages of length and code, without a type byte.
export class StartupFramer {
  #held = Buffer.alloc(0);

  push(chunk) {
    this.#held = this.#held.length ? Buffer.concat([this.#held, chunk]) : chunk;
    if (this.#held.length > 65_536) throw new ProtocolViolation("too much was sent before the connection's turn");
  }

  next() {
    if (this.#held.length < 8) return null;
    const length = this.#held.readInt32BE(0);
    if (length < 8 || length > MAX_STARTUP) throw new ProtocolViolation("invalid length of startup packet");
    if (this.#held.length < length) return null;
    const packet = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return { code: packet.readInt32BE(4), body: packet.subarray(8) };
  }

  rest() {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }
}

// Cuts the stream after authentication. CopyData is passed on as it comes, under headers of our own
// (its message borders mean nothing), so a COPY is never held in memory; other messages come whole.
export class Framer {
  #parts = []; // of the message that is not complete
  #have = 0;
  #want = 0;
  #copyLeft = 0; // bytes of a CopyData message still to come

  // Returns one buffer of whole messages (perhaps empty) and whether Terminate followed them.
  push(chunk) {
    const out = [];
    let at = 0;
    let terminated = false;
    while (at < chunk.length && !terminated) {
      if (this.#copyLeft > 0) {
        const n = Math.min(this.#copyLeft, chunk.length - at);
        out.push(Buffer.from([COPY_DATA]), int32(n + 4), chunk.subarray(at, at + n));
        this.#copyLeft -= n;
        at += n;
        continue;
      }
      const n = Math.min((this.#want || 5) - this.#have, chunk.length - at);
      this.#parts.push(chunk.subarray(at, at + n));
      this.#have += n;
      at += n;
      if (this.#have < (this.#want || 5)) break;
      if (!this.#want) {
        const head = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
        this.#parts = [head];
        const length = head.readInt32BE(1);
        const type = String.fromCharCode(head[0]);
        if (!"QPBECDSHFdcfX".includes(type)) throw new ProtocolViolation(`invalid frontend message type ${head[0]}`);
        if (length < 4 || length >= MAX_MESSAGE) throw new ProtocolViolation(`invalid message length ${length}`);
        if (type === "d") {
          this.#copyLeft = length - 4;
          this.#reset();
          continue;
        }
        this.#want = length + 1;
        if (this.#have < this.#want) continue;
      }
      if (this.#parts[0][0] === 0x58) terminated = true;
      else out.push(...this.#parts);
      this.#reset();
    }
    return { messages: Buffer.concat(out), terminated };
  }

  #reset() {
    this.#parts = [];
    this.#have = 0;
    this.#want = 0;
  }
}

// The parameters of a StartupMessage; `options` is taken apart into the settings that it sets.
export function startupParameters(body) {
  const words = body.toString("utf8").split("\0");
  const parameters = {};
  for (let i = 0; i + 1 < words.length && words[i]; i += 2) parameters[words[i]] = words[i + 1];
  const { user, database, options, replication, ...settings } = parameters;
  const extensions = Object.keys(settings).filter((name) => name.startsWith("_pq_."));
  for (const name of extensions) delete settings[name];
  return { user, database: database || user, replication, extensions, settings: { ...optionSettings(options ?? ""), ...settings } };
}

function optionSettings(text) {
  const settings = {};
  const words = (text.match(/(?:\\.|[^\s\\])+/g) ?? []).map((word) => word.replace(/\\(.)/g, "$1"));
  for (let i = 0; i < words.length; i++) {
    let pair = null;
    if (words[i] === "-c") pair = words[++i] ?? "";
    else if (words[i].startsWith("-c")) pair = words[i].slice(2);
    else if (words[i].startsWith("--")) pair = words[i].slice(2);
    const cut = pair === null ? -1 : pair.indexOf("=");
    if (cut < 1) throw new ProtocolViolation(`options: "${words[i]}" is not understood; only -c name=value is`);
    settings[pair.slice(0, cut).replaceAll("-", "_")] = pair.slice(cut + 1);
  }
  return settings;
}
