/**
 * Subjects that break a promise of the real one after their first life, so that a drill has something to
 * find: a report that cannot fail proves nothing.
 */
import { defineActor, type ActorContext, type ActorDefinition, type Behaviour } from '../../../kernel/index.ts';
import type { SubjectSpec } from '../../../supervisors/drills/messages.ts';
import { subject, type SubjectArgs } from '../../../supervisors/drills/subject.ts';

type Subject = Behaviour<SubjectSpec>;

/** The real one in its first life; afterwards what `sabotage` makes of it. */
function sabotaged(sabotage: (behaviour: Subject, context: ActorContext) => Subject | Promise<Subject>): ActorDefinition<SubjectSpec, SubjectArgs> {
  return defineActor<SubjectSpec, SubjectArgs>({
    ...subject,
    async start(context, args) {
      const behaviour = await subject.start(context, args);
      return context.incarnation === 1 ? behaviour : sabotage(behaviour, context);
    },
  });
}

const acknowledgement = ({ incarnation, clock }: ActorContext) => ({ incarnation, startedMs: clock.monotonicMs(), handledMs: clock.monotonicMs(), pid: process.pid });

/** Acknowledges what it has not done. */
export const forgetful = sabotaged((behaviour, context) => ({
  ...behaviour,
  handlers: { ...behaviour.handlers, work: () => acknowledgement(context) },
}));

/** Does everything twice. */
export const repeating = sabotaged((behaviour) => ({
  ...behaviour,
  handlers: {
    ...behaviour.handlers,
    async work(request, message) {
      await behaviour.handlers.work(request, message);
      return behaviour.handlers.work(request, message);
    },
  },
}));

/** Never comes back. */
export const lingering = sabotaged(() => new Promise(() => {}));

/** Fails once more than it was told to. */
export const frail = sabotaged((behaviour, context) => ({
  ...behaviour,
  handlers: {
    ...behaviour.handlers,
    urgent(request, message) {
      if (context.incarnation === 2) throw new Error('a sabotaged subject that fails again');
      return behaviour.handlers.urgent(request, message);
    },
  },
}));

/** Forgets what it has acknowledged from the beginning, without any fault. */
export const unreliable = defineActor<SubjectSpec, SubjectArgs>({
  ...subject,
  async start(context, args) {
    const behaviour = await subject.start(context, args);
    return { ...behaviour, handlers: { ...behaviour.handlers, urgent: () => acknowledgement(context) } };
  },
});
