/** The messages that a life of a thread has begun, or taken out of their lanes, and does not bring to an end. */
import type { ActorCell } from './actor-cell.ts';
import type { Address } from './address.ts';
import { DEAD_LETTERED, type Board } from './board.ts';
import type { ThreadBlock } from './thread-block.ts';

interface EndingThread {
  readonly board: Board;
  readonly block: ThreadBlock;
}

/** For a thread that ends in order. @param stashed messages for actors that never came */
export function abandonOpen({ board, block }: EndingThread, cells: Iterable<ActorCell>, stashed: number): void {
  let abandoned = stashed;
  for (const cell of cells) {
    if (cell.isKernel) continue;
    // What is to be delivered again is still to come to its end.
    const open = board.openMessages(cell.place) - (cell.redelivery?.isHeld === true ? 1 : 0);
    board.count(cell.place, DEAD_LETTERED, open);
    abandoned += open;
  }
  block.counters.add('abandoned', abandoned);
}

/**
 * For one that had no last moment to count what it had in its hands, because it was terminated: its next life does.
 * @param dataHeadOf see Redelivery.recover
 */
export function abandonFormer({ board, block }: EndingThread, cell: ActorCell, dataHeadOf: (peer: Address) => number | undefined): void {
  const kept = cell.redelivery?.recover(dataHeadOf) === true ? 1 : 0;
  block.counters.add('abandoned', board.reopen(cell.place, cell.name, kept));
}
