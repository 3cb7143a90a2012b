/**
 * The threads of kills.ts. Each attaches when it is told to, works until it is terminated, and says at
 * every moment whether it is in the middle of an operation.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { MpscConsumer, MpscProducer, ParkingWait, SpscConsumer, SpscProducer, YieldingWait } from 'atomics-ring-buffer';
import { bellOf, nowUs, openBoard, openLife, type KillsTask } from './kills-board.ts';
import { lengthOf, mixed, read, write } from './proven-record.ts';

const POLL_LIMIT = 8;
const WAIT_MS = 60_000;
const RETRY_MS = 1;

const task = workerData as KillsTask;
const life = openLife(task.life);
const { found, recovery, handled } = openBoard(task.board);
const isOver = (): boolean => life.load('order') === 2;

function stick(): never {
  life.store('stuck', 1);
  for (;;) Atomics.pause();
}

function produce(): void {
  const { ring } = task;
  // An MPSC ring has a slot for each producer, and the dead one was declared dead by whoever saw its end.
  const producer =
    task.kind === 'mpsc' ? new MpscProducer(ring) : new SpscProducer(ring, { successorOf: life.load('incarnation') });
  life.store('incarnation', producer.incarnation);
  const pace = new YieldingWait();
  for (let sequence = 0; !isOver(); sequence++) {
    const length = lengthOf(sequence);
    let offset = -1;
    const claims = (): boolean => {
      life.store('doing', 1);
      offset = producer.tryClaim(task.number, length);
      if (offset < 0) life.store('doing', 0);
      return offset >= 0;
    };
    while (!claims()) {
      if (isOver()) return;
      if (pace.wait(claims, RETRY_MS)) break;
    }
    if (sequence === task.stickAfter) {
      // Half a record, and of another sequence: nobody may ever see it.
      write(producer.memory, offset, length & ~3, ~sequence);
      stick();
    }
    write(producer.memory, offset, length, sequence);
    producer.commit();
    life.store('progress', sequence + 1);
    life.store('doing', 0);
    // Long enough at times for the consumer to fall asleep, or to be about to.
    if (mixed(sequence) % 64 === 0) pace.wait(isOver, (mixed(sequence) >>> 8) % 3);
  }
  producer.detach();
}

function consume(): void {
  const options = { successorOf: life.load('incarnation') };
  const consumer = task.kind === 'mpsc' ? new MpscConsumer(task.ring, options) : new SpscConsumer(task.ring, options);
  life.store('incarnation', consumer.incarnation);
  const wait = new ParkingWait(consumer.doorbell);
  const hasWork = (): boolean => consumer.hasRecord || isOver();
  let own = 0;
  let newest = task.number;
  const check = (number: number, offset: number, length: number, redeliveries: number): void => {
    // The first record after this thread began, or after a new producer began.
    if (own === 0 || number > newest) {
      newest = Math.max(newest, number);
      recovery.store('atUs', nowUs());
      recovery.store('life', newest);
    }
    const sequence = read(consumer.memory, offset, length);
    const next = handled[number]!;
    if (sequence === undefined) found.add('torn');
    else if (sequence === next) handled[number] = next + 1;
    // What was in a dead consumer's hands comes again, and says so.
    else if (sequence < next && redeliveries > 0) found.add('redelivered');
    else found.add('misordered');
    found.add('delivered');
    life.store('progress', ++own);
    if (own === task.stickAfter) stick();
  };
  while (!isOver() || consumer.hasRecord) {
    life.store('doing', 1);
    const count = consumer.poll(check, POLL_LIMIT);
    life.store('doing', 0);
    if (count === 0) wait.wait(hasWork, WAIT_MS);
  }
  consumer.detach();
}

parentPort!.postMessage('ready');
new ParkingWait(bellOf(life)).wait(() => life.load('order') > 0, WAIT_MS);
if (task.side === 'producer') produce();
else consume();
