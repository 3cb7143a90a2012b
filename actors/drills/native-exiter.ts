/** An actor that leaves, and with it the thread that it is on: that of the supervision tree. */
import { defineActor, defineProtocol } from '../../kernel/index.ts';

export const nativeExiter = defineActor({
  protocol: defineProtocol('native-exiter', { none: { request: { properties: {} } } }),
  start: () => process.exit(0),
});
