/** What a user says of a model that is to be loaded. */
import type { Pooling, TruncatePolicy } from '../backend.ts';
import type { CheckedModel } from '../model-choice.ts';

/** What is to be loaded under a name. */
export interface ModelSource {
  /** A name of the registry, a path or an `hf:` URI; absent for the default model. A model that was checked before is not looked at again. */
  readonly model?: string | CheckedModel;
  /** What it is for. Default: embed. */
  readonly purpose?: 'embed' | 'rank';
  readonly truncate?: TruncatePolicy;
  /** In place of what the model's files say; where the backend can. */
  readonly pooling?: Pooling;
  /** Whether several texts may share a native call; see BackendOptions. Default: true. */
  readonly fuse?: boolean;
  /** Tokens that a text may have even if the model takes more; memory grows with it. Default: 2,048. */
  readonly tokensMax?: number;
}
