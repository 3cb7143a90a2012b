/** A loaded model without actors, for tests of what holds and replaces models: it counts its leases and its end. */
import type { LoadedModel } from '../../../actors/inference/hosting/loaded-model.ts';
import type { SpillwayError } from '../../../kernel/index.ts';

export interface PuppetModel {
  readonly model: LoadedModel;
  readonly name: string;
  leases: number;
  isClosed: boolean;
  closedWith: SpillwayError | undefined;
  /** As if its actors had ended for good. */
  die(): void;
}

export function puppetModel(name: string, sha256: string = name): PuppetModel {
  let isGone = false;
  let onIdle: (() => void) | undefined;
  const puppet: PuppetModel = { model: undefined as never, name, leases: 0, isClosed: false, closedWith: undefined, die: () => void (isGone = true) };
  const model = {
    info: { name, sha256, dimensions: 4 },
    loadMs: 1,
    get isGone() {
      return isGone;
    },
    get isLeased() {
      return puppet.leases > 0;
    },
    lease() {
      puppet.leases++;
      let isHeld = true;
      return {
        model,
        release() {
          if (!isHeld) return;
          isHeld = false;
          if (--puppet.leases === 0) onIdle?.();
        },
      };
    },
    async close(drainMs = 0, error?: SpillwayError) {
      const isDrained = puppet.leases === 0 || (drainMs > 0 && (await new Promise<boolean>((resolve) => (onIdle = () => resolve(true)))));
      puppet.isClosed = true;
      puppet.closedWith = error;
      return isDrained;
    },
  } as unknown as LoadedModel;
  return Object.assign(puppet, { model });
}
