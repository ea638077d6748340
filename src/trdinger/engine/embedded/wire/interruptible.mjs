// Makes WebAssembly memory shared between threads, so that a statement can be cancelled from outside while it runs.
//
// The engine's modules import their memory as a private one. Only that one declaration is rewritten, to
// "shared, with a maximum", before they are compiled; their code is what it was. Without this, a statement
// that only computes could not be interrupted: see test_a_statement_that_only_computes_is_cancelled.

const MAXIMUM = 32_768; // pages of 64 KiB: the 2 GiB that the engine's main module declares
const IMPORTS = 2; // the section's number
const [FUNCTION, TABLE, MEMORY, GLOBAL, TAG] = [0, 1, 2, 3, 4]; // kinds of import
const HAS_MAXIMUM = 1;
const SHARED_WITH_MAXIMUM = 3;

// To be called once in the engine's thread, before the engine is imported. Returns the memories made from then on.
export function shareMemory() {
  const { Memory, Module, compile, instantiate } = WebAssembly;
  const memories = [];
  WebAssembly.compile = (bytes) => compile(withSharedMemory(bytes));
  WebAssembly.instantiate = (source, imports) =>
    instantiate(source instanceof Module ? source : withSharedMemory(source), imports);
  WebAssembly.Module = new Proxy(Module, { construct: (_, [bytes]) => new Module(withSharedMemory(bytes)) });
  WebAssembly.Memory = new Proxy(Memory, {
    construct: (_, [{ initial, maximum = MAXIMUM }]) => {
      const memory = new Memory({ initial, maximum, shared: true });
      memories.push(memory);
      return memory;
    },
  });
  return memories;
}

function withSharedMemory(source) {
  const bytes = ArrayBuffer.isView(source)
    ? Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    : Buffer.from(source);
  for (let at = 8; at < bytes.length; ) {
    const [size, body] = number(bytes, at + 1);
    if (bytes[at] === IMPORTS) {
      const limits = memoryLimits(bytes, body);
      if (!limits) return bytes;
      const declared = Buffer.from([SHARED_WITH_MAXIMUM, ...encoded(limits.minimum), ...encoded(limits.maximum)]);
      const section = Buffer.concat([bytes.subarray(body, limits.from), declared, bytes.subarray(limits.to, body + size)]);
      return Buffer.concat([
        bytes.subarray(0, at), Buffer.from([IMPORTS, ...encoded(section.length)]), section, bytes.subarray(body + size),
      ]);
    }
    at = body + size;
  }
  return bytes;
}

// Where the section at `at` declares the imported memory's limits, and what they are.
function memoryLimits(bytes, at) {
  let [count, cursor] = number(bytes, at);
  for (; count > 0; count--) {
    for (let names = 0; names < 2; names++) {
      const [length, text] = number(bytes, cursor);
      cursor = text + length;
    }
    const kind = bytes[cursor++];
    if (kind === FUNCTION) cursor = number(bytes, cursor)[1];
    else if (kind === TABLE) cursor = limitsAt(bytes, cursor + 1).to;
    else if (kind === MEMORY) return limitsAt(bytes, cursor);
    else if (kind === GLOBAL) cursor += 2;
    else if (kind === TAG) cursor = number(bytes, cursor + 1)[1];
    else throw new Error(`the engine imports something unknown (kind ${kind})`);
  }
  return null;
}

function limitsAt(bytes, from) {
  let [minimum, to] = number(bytes, from + 1);
  let maximum = MAXIMUM;
  if (bytes[from] & HAS_MAXIMUM) [maximum, to] = number(bytes, to);
  return { from, to, minimum, maximum };
}

// WebAssembly's numbers: seven bits a byte, the lowest first. Returns the value and where it ended.
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}

function encoded(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}
