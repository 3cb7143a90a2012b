/** What the author of a supervisor writes, where its children are not known beforehand: a function that says what they are. */
import type { SupervisorSetup } from './child-spec.ts';

export interface SupervisorDefinition<Args = unknown> {
  /**
   * Called at each start, on the thread of the supervision tree, which it must not hold. A supervisor that has
   * nothing to do returns undefined and is not started.
   */
  init(args: Args): Partial<SupervisorSetup> | undefined | Promise<Partial<SupervisorSetup> | undefined>;
}

/** Only there for its types. A child spec of the type `supervisor` names it as its `start`. */
export function defineSupervisor<Args>(init: SupervisorDefinition<Args>['init']): SupervisorDefinition<Args> {
  return { init };
}
