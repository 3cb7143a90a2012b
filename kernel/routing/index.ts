export { hashOfKey, heaviest } from './rendezvous.ts';
export type { RoutingKey } from './rendezvous.ts';
export { MAX_ROUTEES } from './routees.ts';
export { Router, createRouter } from './router.ts';
export type { HashStrategy, RoutedMessage, RouterOptions, RoutingStrategy } from './router.ts';
