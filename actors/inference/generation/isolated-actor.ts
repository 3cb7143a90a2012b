/** The generator actor as it runs in a process of its own. It is the same actor; see binding-test.ts for what differs. */
import { leaveOutBindingTest } from '../binding-test.ts';
import { generation } from './actor.ts';

export const isolatedGeneration: typeof generation = {
  ...generation,
  start(context, args) {
    leaveOutBindingTest();
    return generation.start(context, args);
  },
};
