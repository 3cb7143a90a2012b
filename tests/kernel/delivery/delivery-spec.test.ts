/** What can be declared of the delivery, and what is refused. */
import { expect, test } from 'vitest';
import { completeDelivery, type DeliverySpec } from '../../../kernel/index.ts';

test('the default is at most once, with what waits kept', () => {
  expect(completeDelivery()).toEqual({ guarantee: 'at_most_once', maxRedeliveries: 3, onRestart: 'keep' });
  expect(completeDelivery({ guarantee: 'at_least_once', maxRedeliveries: 0 })).toEqual({ guarantee: 'at_least_once', maxRedeliveries: 0, onRestart: 'keep' });
});

test.each<[path: string, spec: unknown]>([
  ['delivery', null],
  ['delivery', []],
  ['delivery', { garantee: 'at_least_once' }],
  ['delivery.guarantee', { guarantee: 'exactly_once' }],
  ['delivery.onRestart', { onRestart: 'drop' }],
  ['delivery.onRestart', { guarantee: 'at_least_once', onRestart: 'dead_letter' }],
  ['delivery.maxRedeliveries', { maxRedeliveries: 2 }],
  ['delivery.maxRedeliveries', { guarantee: 'at_least_once', maxRedeliveries: -1 }],
  ['delivery.maxRedeliveries', { guarantee: 'at_least_once', maxRedeliveries: 1.5 }],
  ['delivery.maxRedeliveries', { guarantee: 'at_least_once', maxRedeliveries: Infinity }],
])('%s is refused in %j', (path, spec) => {
  expect(() => completeDelivery(spec as DeliverySpec)).toThrow(expect.objectContaining({ code: 'delivery_invalid', details: expect.objectContaining({ path }) as unknown }) as Error);
});
