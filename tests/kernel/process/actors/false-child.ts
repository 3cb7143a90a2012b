/** What an actor's process must not be: run in its place, it speaks wrongly, in the way that its environment names. */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { deserialize } from 'node:v8';

const HELLO = 1;
const RELEASED = 6;

function frame(type: number, payload: Uint8Array, thread = 0, length = payload.length): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(length, 0);
  header[4] = type;
  header.writeUInt16LE(thread, 6);
  return Buffer.concat([header, payload]);
}

function hello(token: Uint8Array, version = 1): Buffer {
  const payload = Buffer.alloc(4 + token.length);
  payload.writeUInt32LE(version, 0);
  payload.set(token, 4);
  return frame(HELLO, payload);
}

const token = readFileSync(0);
const socket = new Socket({ fd: 3, readable: false, writable: true });
const input = new Socket({ fd: 5, readable: true, writable: false });
for (const stream of [socket, input]) stream.on('error', () => {});
// It does not go by itself: whoever has started it has to see to that.
setInterval(() => {}, 1_000);
/** Done once the handshake was answered. @param write is given the answer */
const afterwards = (write: (boot: Buffer) => void): void => void input.once('data', write);

const ways: Record<string, () => void> = {
  silence: () => {},
  garbage: () => void socket.write(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')),
  flood: () => void socket.write(Buffer.concat([frame(HELLO, new Uint8Array(0)).subarray(0, 4), Buffer.alloc(8_192)])),
  token: () => void socket.write(hello(token.map((byte) => byte ^ 1))),
  short_token: () => void socket.write(hello(token.subarray(1))),
  version: () => void socket.write(hello(token, 2)),
  replay: () => void socket.write(Buffer.concat([hello(token), hello(token)])),
  later_garbage() {
    socket.write(hello(token));
    afterwards(() => void socket.write(Buffer.alloc(64, 0xff)));
  },
  long_frame() {
    socket.write(hello(token));
    afterwards(() => void socket.write(frame(RELEASED, new Uint8Array(4), 1, 2 ** 31)));
  },
  unknown_lane() {
    socket.write(hello(token));
    afterwards(() => void socket.write(frame(RELEASED, new Uint8Array(4), 77)));
  },
  false_position() {
    socket.write(hello(token));
    afterwards(() => void socket.write(frame(RELEASED, new Uint8Array([255, 255, 0, 0]), 1)));
  },
  stop_guardian() {
    socket.write(hello(token));
    // A record for the guardian's caretaker, by which a guardian tells a thread to stop.
    const record = Buffer.alloc(8 + 40);
    record.writeUInt32LE(16, 0);
    record.writeUInt32LE(40, 4);
    record.writeUInt32LE(1 << 22, 8);
    afterwards((boot) => {
      const { self } = deserialize(boot.subarray(8, 8 + boot.readUInt32LE(0))) as { readonly self: number };
      record.writeUInt32LE(self, 12);
      socket.write(frame(4, record, 1));
    });
  },
  exit: () => process.exit(3),
};
ways[process.env['WAY']!]!();
