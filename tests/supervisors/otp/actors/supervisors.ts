// Supervisors that say what they are made of when they are started, rightly and wrongly.
import { existsSync } from 'node:fs';
import { defineSupervisor, type SupervisorSetup } from '../../../../supervisors/index.ts';

const module = import.meta.url;

/** Made of its arguments. */
export const given = defineSupervisor<Partial<SupervisorSetup>>((setup) => setup);

/** Has nothing to do. */
export const idle = defineSupervisor(() => undefined);

/** Says what is no setup. */
export const invalid = defineSupervisor<unknown>((args) => args as SupervisorSetup);

/** Says what cannot be sent. */
export const odd = defineSupervisor(() => ({ children: [{ id: 'a', placement: 'inline', start: { module, export: 'a', args: { run() {} } } }] }));

export const failing = defineSupervisor(() => {
  throw new Error('told to fail in init');
});

/** Does not say anything as long as there is such a file. */
export const hanging = defineSupervisor<string>(async (path) => {
  while (existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 2));
  return {};
});

/** Has a supervisor of its own kind below it, which has one too, and so on. */
export const bottomless = defineSupervisor(() => ({ children: [{ id: 'below', type: 'supervisor', start: { module, export: 'bottomless' } }] }));
