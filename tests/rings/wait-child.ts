/** A process that has nothing to do but wait, for wait-ladder.test.ts: when it ends shows what holds its loop. */
import { Doorbell, WaitLadder } from 'atomics-ring-buffer';

const doorbell = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
const ladder = new WaitLadder(doorbell);
const report = (woken: unknown): void => console.log(`was woken: ${String(woken)}`);

console.log('waits');
switch (process.argv[2]) {
  case 'bare':
    doorbell.arm();
    void doorbell.parkAsync(200)?.then(report);
    break;
  case 'held':
    void ladder.waitAsync(() => false, 200).then(report);
    break;
  case 'disposed':
    void ladder.waitAsync(() => false, 60_000).then(report);
    ladder.dispose();
    break;
  case 'over': {
    let work = false;
    void ladder.waitAsync(() => work, 60_000).then(report);
    work = true;
    doorbell.ring();
    break;
  }
  default:
    throw new Error('wait-child takes a mode: bare, held, disposed or over.');
}
