/** What an actor's process is given open: numbers of descriptors, the same on both sides. */

/** Brings the token, and then ends. */
export const TOKEN_DESCRIPTOR = 0;
/**
 * Where the process speaks, and where it is spoken to. Two sockets, because whoever writes into one whose other
 * end has gone loses it, with all that could still be read from it.
 */
export const OUTPUT_DESCRIPTOR = 3;
export const INPUT_DESCRIPTOR = 5;
/** What the process shows of its life; see life-page.ts. */
export const PAGE_DESCRIPTOR = 4;
