/** A mailbox and all that it told its observer, for tests to compare with what they expect. */
import { Mailbox, completeMailboxSpec, type PartialMailboxSpec } from '../../../kernel/mailbox/mailbox.ts';

export interface LoggedMailbox<M> {
  readonly mailbox: Mailbox<M>;
  /** `shed 7 expired` and `sync -> drop at 8`, in the order told. */
  readonly log: string[];
  /** What was told since the last call of this. */
  news(): string[];
}

export function loggedMailbox<M>(partial: PartialMailboxSpec<M>): LoggedMailbox<M> {
  const log: string[] = [];
  const mailbox = new Mailbox<M>(completeMailboxSpec(partial), {
    shed: (message, reason) => log.push(`shed ${String(message)} ${reason}`),
    modeChanged: (from, to, level) => log.push(`${from} -> ${to} at ${level}`),
  });
  let told = 0;
  const news = (): string[] => {
    const fresh = log.slice(told);
    told = log.length;
    return fresh;
  };
  return { mailbox, log, news };
}
