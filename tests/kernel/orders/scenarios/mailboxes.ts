/** Accounting: whatever the policy, each message that was accepted is handled, failed, shed or expired, and none twice. */
import { MAILBOX_POLICIES, defineActor, defineProtocol, type ActorRef, type MailboxDeclaration, type MailboxPolicy } from '../../../../kernel/index.ts';
import { dawdle, type Scenario } from '../stage.ts';

const protocol = defineProtocol('flooded', { drop: { request: { properties: { sender: { type: 'uint32' }, number: { type: 'uint32' } } } } });
const floodProtocol = defineProtocol('flood', { go: { request: { properties: { to: { type: 'uint32' }, count: { type: 'uint32' } } } } });
type Flooded = ActorRef<typeof protocol.spec>;

const floodedOf = (mailbox: MailboxDeclaration) =>
  defineActor<typeof protocol.spec, Map<string, number>>({
    protocol,
    mailbox,
    start: (context, handled) => ({
      handlers: {
        async drop({ sender, number }) {
          const key = `${context.self}:${sender}:${number}`;
          handled.set(key, (handled.get(key) ?? 0) + 1);
          await dawdle(context);
          if (number % 16 === 15 && context.random.int(4) === 0) throw new Error('told to crash');
        },
      },
    }),
  });

interface FloodArgs {
  readonly sender: number;
  readonly accepted: { count: number };
}

const flood = defineActor<typeof floodProtocol.spec, FloodArgs>({
  protocol: floodProtocol,
  start(context, { sender, accepted }) {
    let number = 0;
    return {
      handlers: {
        async go({ to, count }) {
          const ref: Flooded = context.ref(to, protocol);
          for (let left = count; left > 0; left--) {
            if (ref.tell('drop', { sender, number }) >= 0) accepted.count++;
            number++;
            if (context.random.int(6) === 0) await dawdle(context);
          }
        },
      },
    };
  },
});

function mailboxOf(policy: MailboxPolicy, capacity: number): MailboxDeclaration {
  return {
    capacity,
    policy,
    ...(policy === 'expire' ? { ttlMs: 3 } : {}),
    ...(policy === 'conflate' ? { key: (_: string, request: unknown) => (request as { number: number }).number % 5 } : {}),
  };
}

export const mailboxes: Scenario = {
  name: 'mailboxes',
  promise: 'At every quiet moment: sent = handled + failed + shed + expired + dead-lettered + queued.',
  async play(stage) {
    const handled = new Map<string, number>();
    const accepted = { count: 0 };
    const targets: Flooded[] = [];
    const home = await stage.spawnThread('home', flood, { sender: 0, accepted });
    for (const policy of MAILBOX_POLICIES) {
      if (stage.chance(0.5)) continue;
      const definition = floodedOf(mailboxOf(policy, 1 + stage.random.int(8)));
      const name = `flooded-${policy}`;
      targets.push(await (stage.chance(0.2) ? stage.spawnThread(name, definition, handled) : stage.system.spawn(name, definition, handled, { thread: home, onFailure: () => stage.pick(['restart', 'stop']) })));
    }
    if (targets.length === 0) return;
    const senders = [home, await stage.spawn('far', flood, { sender: 1, accepted })];
    stage.system.onStep(() => stage.violations.push(...stage.system.imbalances()));
    for (let round = 0; round < 8; round++) {
      stage.pick(senders).tell('go', { to: stage.pick(targets).address, count: 1 + stage.random.int(30) });
      await stage.wander(20);
    }
    await stage.quiet();
    for (const [key, times] of handled) stage.require(times === 1, `message ${key} was handled ${times} times.`);
    stage.require(handled.size <= accepted.count, `${handled.size} messages were handled and ${accepted.count} accepted.`);
    // The guardian's caretaker has told itself that the root has started.
    const threads = stage.system.inspect().threads.filter(({ name }) => name !== 'guardian');
    for (const { actors } of threads) for (const { name, level } of actors) stage.require(level === 0, `${name} has ${level} messages at quiet.`);
    if (stage.system.ends.length > 0) return;
    const total = (counts: readonly ('sent' | 'unknown_actor')[]): number => threads.reduce((sum, { counters }) => sum + counts.reduce((all, name) => all + counters[name], 0), 0);
    const ended = threads.reduce((sum, { counters: c }) => sum + c.handled + c.failed + c.dropped_newest + c.dropped_oldest + c.conflated + c.flushed + c.expired + c.cancelled + c.abandoned + c.actor_stopped + c.fenced + c.unknown_actor, 0);
    stage.require(total(['sent']) === ended, `${total(['sent'])} messages were sent, and ${ended} have come to an end: ${JSON.stringify(threads.map(({ name, counters }) => [name, Object.entries(counters).filter(([, count]) => count > 0)]))}.`);
  },
};
