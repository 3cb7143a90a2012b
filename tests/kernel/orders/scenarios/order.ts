/** Messages of one sender to one actor keep their order within a lane, and none is lost between living actors. */
import { defineActor, defineProtocol, type ActorRef, type MailboxDeclaration } from '../../../../kernel/index.ts';
import { dawdle, type Scenario, type Stage } from '../stage.ts';

const note = { properties: { sender: { type: 'uint32' }, number: { type: 'uint32' } } } as const;
const receiverProtocol = defineProtocol('receiver', { data: { request: note }, urgent: { lane: 'control', request: note } });
type Receiver = ActorRef<typeof receiverProtocol.spec>;
const senderProtocol = defineProtocol('sender', { go: { request: { properties: { to: { type: 'uint32' }, key: { type: 'uint32' }, count: { type: 'uint32' } } } } });

/** What was sent and what has come, by receiver, sender and lane. */
class Ledger {
  readonly sent = new Map<string, number>();
  readonly came = new Map<string, number[]>();

  nextNumber(key: string): number {
    return this.sent.get(key) ?? 0;
  }
}

interface ReceiverArgs {
  readonly key: number;
  readonly ledger: Ledger;
}

const receiverOf = (mailbox: MailboxDeclaration | undefined) =>
  defineActor<typeof receiverProtocol.spec, ReceiverArgs>({
    protocol: receiverProtocol,
    ...(mailbox === undefined ? {} : { mailbox }),
    start(context, { key, ledger }) {
      const take = (lane: string, sender: number, number: number): Promise<void> => {
        const place = `${key}<${sender}.${lane}`;
        const numbers = ledger.came.get(place) ?? [];
        ledger.came.set(place, numbers);
        numbers.push(number);
        return dawdle(context);
      };
      return { handlers: { data: ({ sender, number }) => take('data', sender, number), urgent: ({ sender, number }) => take('urgent', sender, number) } };
    },
  });

function tellNext(to: Receiver, lane: 'data' | 'urgent', key: number, sender: number, ledger: Ledger): void {
  const place = `${key}<${sender}.${lane}`;
  const number = ledger.nextNumber(place);
  if (to.tell(lane, { sender, number }) >= 0) ledger.sent.set(place, number + 1);
}

/** Takes its number at once, and its place among what is told later. */
function sendNext(to: Receiver, key: number, sender: number, ledger: Ledger, stage: Stage): void {
  const place = `${key}<${sender}.data`;
  const number = ledger.nextNumber(place);
  ledger.sent.set(place, number + 1);
  to.send('data', { sender, number }, { deadlineMs: 100_000 }).catch((error: Error) => stage.violate(`a send failed: ${error.message}`));
}

interface SenderArgs {
  readonly sender: number;
  readonly ledger: Ledger;
  readonly stage: Stage;
}

const senderActor = defineActor<typeof senderProtocol.spec, SenderArgs>({
  protocol: senderProtocol,
  start: (context, { sender, ledger, stage }) => ({
    handlers: {
      async go({ to, key, count }) {
        const ref = context.ref(to, receiverProtocol);
        for (let left = count; left > 0; left--) {
          const way = context.random.int(4);
          if (way === 0) sendNext(ref, key, sender, ledger, stage);
          else tellNext(ref, way === 1 ? 'urgent' : 'data', key, sender, ledger);
          await dawdle(context);
        }
      },
    },
  }),
});

const MAILBOXES: readonly (MailboxDeclaration | undefined)[] = [undefined, {}, { capacity: 4 }, { capacity: 6, policy: 'wait' }, { capacity: 8, marks: { sync: 2, syncLow: 1 } }];

export const order: Scenario = {
  name: 'order',
  promise: 'Messages of one sender to one actor arrive in the order sent within a lane.',
  async play(stage) {
    const ledger = new Ledger();
    const receivers: Receiver[] = [];
    const senders = [];
    for (let key = 0; key < 2; key++) receivers.push(await stage.spawn(`receiver-${key}`, receiverOf(stage.pick(MAILBOXES)), { key, ledger }, stage.chance(0.3) ? { mailbox: { dataBytes: 512 } } : {}));
    for (let sender = 1; sender < 4; sender++) senders.push(await stage.spawn(`sender-${sender}`, senderActor, { sender, ledger, stage }));
    for (let round = 0; round < 6; round++) {
      const key = stage.random.int(receivers.length);
      stage.pick(senders).tell('go', { to: receivers[key]!.address, key, count: 1 + stage.random.int(8) });
      tellNext(receivers[key]!, stage.chance(0.5) ? 'data' : 'urgent', key, 0, ledger);
      await stage.wander();
    }
    await stage.quiet();
    for (const [place, count] of ledger.sent) {
      const numbers = ledger.came.get(place) ?? [];
      const expected = Array.from({ length: count }, (_, number) => number);
      stage.require(numbers.join() === expected.join(), `${place}: of 0 to ${count - 1} came ${numbers.join()}.`);
    }
  },
};
