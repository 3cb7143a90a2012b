/**
 * Adapts a process to the runtime: says who it is, and makes a thread of the system of itself once it is told
 * which. What it says first needs next to nothing loaded, as its bridge waits for it.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { INPUT_DESCRIPTOR, OUTPUT_DESCRIPTOR, TOKEN_DESCRIPTOR } from './descriptors.ts';
import { FrameWriter, HELLO, PROTOCOL_VERSION } from './frames.ts';

export async function startProcess(): Promise<void> {
  const token = readFileSync(TOKEN_DESCRIPTOR);
  const output = new Socket({ fd: OUTPUT_DESCRIPTOR, readable: false, writable: true });
  const input = new Socket({ fd: INPUT_DESCRIPTOR, readable: true, writable: false });
  const writer = new FrameWriter(output);
  const at = writer.begin(HELLO, 0, 0, 4 + token.length);
  writer.bytes.writeUInt32LE(PROTOCOL_VERSION, at);
  writer.bytes.set(token, at + 4);
  writer.flush();
  // Without its bridge there is nobody to work for, and nobody to hear of an orderly end.
  for (const socket of [output, input]) {
    socket.on('error', endAtOnce);
    socket.on('close', endAtOnce);
  }
  // What the bridge answers waits in the socket until there is a runtime to take it.
  const { Child } = await import('./child.ts');
  const child = new Child(output, writer);
  input.on('data', (chunk: Buffer) => child.onBytes(chunk));
}

function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
  // The first process of a namespace of its own cannot be killed from within.
  process.exit(1);
}
