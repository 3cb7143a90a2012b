/** All scenarios of the conformance suite over the actor API. */
import { asks } from './scenarios/asks.ts';
import { behaviour } from './scenarios/behaviour.ts';
import { faulty } from './scenarios/faulty.ts';
import { forward } from './scenarios/forward.ts';
import { groups } from './scenarios/groups.ts';
import { lanes } from './scenarios/lanes.ts';
import { links } from './scenarios/links.ts';
import { mailboxes } from './scenarios/mailboxes.ts';
import { names } from './scenarios/names.ts';
import { order } from './scenarios/order.ts';
import { restarts } from './scenarios/restarts.ts';
import { scopes } from './scenarios/scopes.ts';
import { streams } from './scenarios/streams.ts';
import { watch } from './scenarios/watch.ts';
import type { Scenario } from './stage.ts';

export const SCENARIOS: readonly Scenario[] = [order, lanes, asks, watch, links, behaviour, streams, forward, scopes, groups, names, restarts, mailboxes, faulty];
