/** A generator that ends in the middle of a text when its prompt says so. */
import type { GenerationArgs } from '../../../actors/inference/generation/actor.ts';
import { generation } from '../../../actors/inference/generation/actor.ts';
import type { GenerationItem } from '../../../actors/inference/generation/messages.ts';

/** Items before its end. */
const ITEMS = 4;

export const mortalGeneration: typeof generation = {
  ...generation,
  async start(context, args: GenerationArgs) {
    const behaviour = await generation.start(context, args);
    const { generate } = behaviour.handlers;
    return {
      ...behaviour,
      handlers: {
        ...behaviour.handlers,
        generate(request, message) {
          const items = generate(request, message) as AsyncIterable<GenerationItem>;
          if (request.prompt === 'throw') {
            return endingAfter(items, () => {
              throw new Error('told to fail');
            });
          }
          return request.prompt === 'kill' ? endingAfter(items, () => process.kill(process.pid, 'SIGKILL')) : items;
        },
      },
    };
  },
};

async function* endingAfter(items: AsyncIterable<GenerationItem>, end: () => void): AsyncGenerator<GenerationItem> {
  let count = 0;
  for await (const item of items) {
    yield item;
    if (++count === ITEMS) end();
  }
}
