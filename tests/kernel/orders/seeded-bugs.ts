/**
 * Bugs that somebody might make, each as a change of one method of the kernel while some orders are played, and
 * the scenario that finds it. They say what the suite is worth.
 */
import { ActorCell } from '../../../kernel/actor-cell.ts';
import { Asks } from '../../../kernel/asks.ts';
import { Board } from '../../../kernel/board.ts';
import { Bonds } from '../../../kernel/bonds.ts';
import { Directory } from '../../../kernel/directory.ts';
import { IncomingStream } from '../../../kernel/incoming-stream.ts';
import { Mailbox } from '../../../kernel/mailbox/mailbox.ts';
import { Scopes } from '../../../kernel/scopes.ts';
import { Streams } from '../../../kernel/streams.ts';
import { SCENARIOS } from './catalog.ts';
import { playOrder, type OrderResult } from './stage.ts';

export interface SeededBug {
  /** What is wrong, in a sentence without its full stop. */
  readonly name: string;
  readonly scenario: string;
  /** Plays orders with the bug. @returns the first one in which something is violated */
  find(): Promise<OrderResult | undefined>;
}

/** Orders that are played before a bug counts as missed. */
const ORDERS = 60;

/** A class whose method is changed; its methods differ, so they are called without their types. */
interface Patched {
  readonly prototype: object;
}
type AnyMethod = (this: never, ...parameters: never[]) => unknown;

function bug(name: string, scenario: string, patched: Patched, method: string, change: (former: AnyMethod) => AnyMethod): SeededBug {
  const find = async (): Promise<OrderResult | undefined> => {
    const methods = patched.prototype as Record<string, AnyMethod>;
    const former = methods[method]!;
    methods[method] = change(former);
    try {
      for (let seed = 1; seed <= ORDERS; seed++) {
        const result = await playOrder(SCENARIOS.find((each) => each.name === scenario)!, seed);
        if (result.violations.length > 0) return result;
      }
      return undefined;
    } finally {
      methods[method] = former;
    }
  };
  return { name, scenario, find };
}

export const SEEDED_BUGS: readonly SeededBug[] = [
  bug('a fence lets everything through', 'scopes', Scopes, 'blocks', () => () => false),
  bug('a thread that ends takes its watchers along without a word', 'watch', Bonds, 'peerDown', () => () => {}),
  bug('an end is told to its watchers twice', 'watch', Bonds, 'watch', (former) =>
    function (this: never, cell: never, target: never, onEnd: never) {
      const tell = onEnd as (end: unknown) => void;
      const twice = (end: unknown): void => {
        tell(end);
        tell(end);
      };
      return former.apply(this, [cell, target, twice as never]);
    },
  ),
  bug('asks that died with their actor are said not to have been handled', 'asks', Asks, 'peerDown', (former) =>
    function (this: never, peer: never, final: never) {
      return former.apply(this, [peer, final, { control: 0, data: 0 } as never]);
    },
  ),
  bug('what comes out of the stash comes the wrong way round', 'behaviour', ActorCell, 'unstashAll', (former) =>
    function (this: never) {
      (this as { stash?: unknown[] }).stash?.reverse();
      return former.apply(this, []);
    },
  ),
  bug('a mailbox gives the newest message first', 'order', Mailbox, 'take', (former) =>
    function (this: never, nowMs: never) {
      const mailbox = this as unknown as Mailbox<unknown>;
      const all = mailbox.takeAll();
      const newest = all.pop();
      for (const message of all) mailbox.force(message, nowMs);
      return newest ?? former.apply(this, [nowMs]);
    },
  ),
  bug('a stream counts each item that was asked for twice', 'streams', Streams, 'demand', (former) =>
    function (this: never, envelope: never, items: never) {
      return former.apply(this, [envelope, ((items as number) * 2) as never]);
    },
  ),
  bug('an item of a stream overtakes the one before it', 'streams', IncomingStream, 'push', (former) => {
    const held = new WeakMap<object, unknown>();
    return function (this: never, item: never) {
      if (!held.has(this)) {
        held.set(this, item);
        return;
      }
      former.apply(this, [item]);
      former.apply(this, [held.get(this) as never]);
      held.delete(this);
    };
  }),
  bug('who leaves a group stays in it', 'groups', Directory, 'leave', () => () => {}),
  bug('a name is given to whoever asks last', 'names', Directory, 'register', () => () => {}),
  bug('a message that was shed is not counted', 'mailboxes', ActorCell, 'shed', () => () => {}),
  bug('the counts of a former life are forgotten', 'restarts', Board, 'reopen', (former) =>
    function (this: never, ...parameters) {
      const lost = former.apply(this, parameters);
      (this as unknown as Board).count(parameters[0] as unknown as number, 0, 1);
      return lost;
    },
  ),
];
