/** The inference actor as it runs in a process of its own. It is the same actor; see binding-test.ts for what differs. */
import { inference } from './actor.ts';
import { leaveOutBindingTest } from './binding-test.ts';

export const isolatedInference: typeof inference = {
  ...inference,
  start(context, args) {
    leaveOutBindingTest();
    return inference.start(context, args);
  },
};
