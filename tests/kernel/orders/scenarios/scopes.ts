/** Once a cancel is accepted, no output of its scope is accepted at its origin; and at quiet, nowhere. */
import { defineActor, defineProtocol, type CancelScope } from '../../../../kernel/index.ts';
import { dawdle, type Scenario, type Stage } from '../stage.ts';

const originProtocol = defineProtocol('origin', {
  begin: { request: { properties: { workers: { elements: { type: 'uint32' } } } } },
  cancel: { lane: 'control', request: { properties: {} } },
  output: { request: { properties: { scope: { type: 'uint32' } } } },
});
const workerProtocol = defineProtocol('worker', {
  work: { request: { properties: { origin: { type: 'uint32' }, next: { elements: { type: 'uint32' } } } }, reply: { properties: {} } },
});

interface Scopes {
  readonly stage: Stage;
  readonly open: CancelScope[];
  readonly cancelled: Set<number>;
  /** After quiet: whatever of a cancelled scope is handled now is handled in spite of its fence. */
  isQuiet: boolean;
  openAsks: number;
}

const origin = defineActor<typeof originProtocol.spec, Scopes>({
  protocol: originProtocol,
  start: (context, scopes) => ({
    handlers: {
      begin({ workers }) {
        const scope = context.scope();
        scopes.open.push(scope);
        const [first, ...next] = workers;
        scopes.openAsks++;
        context
          .ref(first!, workerProtocol)
          .ask('work', { origin: context.self, next }, { deadlineMs: 50_000, scope })
          .then(
            () => scopes.stage.require(!scope.cancelled, `an ask of scope ${scope.id} was answered after its cancel.`),
            () => {},
          )
          .finally(() => scopes.openAsks--);
      },
      cancel() {
        const scope = scopes.open.splice(context.random.int(Math.max(1, scopes.open.length)), 1)[0];
        if (scope === undefined) return;
        scopes.cancelled.add(scope.id);
        scope.cancel();
      },
      output(_, message) {
        const id = message.scope?.id ?? 0;
        scopes.stage.require(!scopes.cancelled.has(id), `output of scope ${id} was accepted at its origin after its cancel.`);
      },
    },
  }),
});

const worker = defineActor<typeof workerProtocol.spec, Scopes>({
  protocol: workerProtocol,
  start: (context, scopes) => ({
    handlers: {
      async work({ origin: home, next }, message) {
        const { scope } = message;
        const id = scope?.id ?? 0;
        scopes.stage.require(!scopes.isQuiet || !scopes.cancelled.has(id), `a message of scope ${id} was handled after its cancel had come everywhere.`);
        const options = scope === undefined ? {} : { scope };
        const [following, ...rest] = next;
        const onward = following === undefined ? undefined : context.ref(following, workerProtocol).ask('work', { origin: home, next: rest }, { deadlineMs: 20_000, ...options });
        onward?.catch(() => {});
        for (let output = context.random.int(4); output > 0; output--) {
          context.ref(home, originProtocol).tell('output', { scope: id }, options);
          await dawdle(context);
        }
        await onward?.catch(() => {});
        return {};
      },
    },
  }),
});

export const scopes: Scenario = {
  name: 'scopes',
  promise: 'After a cancel is accepted no output of its scope is accepted.',
  async play(stage) {
    const known: Scopes = { stage, open: [], cancelled: new Set(), isQuiet: false, openAsks: 0 };
    const home = await stage.spawnThread('origin', origin, known);
    const workers = [];
    for (let number = 0; number < 3; number++) workers.push(await stage.spawn(`worker-${number}`, worker, known));
    for (let round = 0; round < 8; round++) {
      // Each worker at most once, since one that waits for itself waits until its deadline.
      const chain = workers.filter(() => stage.chance(0.7)).map(({ address }) => address);
      if (chain.length > 0) home.tell('begin', { workers: chain });
      await stage.wander(20);
      if (stage.chance(0.5)) home.tell('cancel', {});
      await stage.wander(10);
    }
    await stage.quiet();
    stage.require(known.openAsks === 0, `${known.openAsks} asks of scopes have not ended.`);
    known.isQuiet = true;
  },
};
