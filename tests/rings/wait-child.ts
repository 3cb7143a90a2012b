/** A process that has nothing to do but wait, for wait-event-loop.test.ts: when it ends shows what holds its loop. */
import { Doorbell, EventLoopWait } from 'atomics-ring-buffer';

const doorbell = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
const waiting = new EventLoopWait(doorbell);
const report = (found: unknown): void => console.log(`found: ${String(found)}`);

console.log('waits');
switch (process.argv[2]) {
  case 'bare':
    doorbell.arm();
    void doorbell.parkAsync(200)?.then(report);
    break;
  case 'held':
    void waiting.wait(() => false, 200).then(report);
    break;
  case 'disposed':
    void waiting.wait(() => false, 60_000).then(report);
    waiting.dispose();
    break;
  case 'over': {
    let work = false;
    void waiting.wait(() => work, 60_000).then(report);
    work = true;
    doorbell.ring();
    break;
  }
  default:
    throw new Error('wait-child takes a mode: bare, held, disposed or over.');
}
