/** All probes that are written for Node, in the order in which they run. */
import type { Probe } from './probe.ts';
import { FILE_PROBES } from './probes/files.ts';
import { HOST_PROBES } from './probes/host.ts';
import { NETWORK_PROBES } from './probes/network.ts';
import { PROGRAM_PROBES } from './probes/programs.ts';

export const NODE_PROBES: readonly Probe[] = [...FILE_PROBES, ...HOST_PROBES, ...NETWORK_PROBES, ...PROGRAM_PROBES];
