/** The value of the kernel's own records that carry one number. */
import { compileCodec, type Codec } from 'atomics-ring-buffer';

export const uint32Codec: Codec<unknown> = compileCodec<unknown>({ type: 'uint32' });
