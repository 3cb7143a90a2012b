/** What the command line's exit code says. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** As a shell reports a program that Ctrl-C ended: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;
