/** What happened to single files, kept until somebody asks, and bounded: what does not fit is counted. */
import type { ReplyOf } from '../../kernel/index.ts';
import type { IngestionSpec } from './messages.ts';

export type Notice = ReplyOf<IngestionSpec, 'takeNotices'>['notices'][number];

/** Some seconds' worth of a very dirty tree. */
const KEPT_MAX = 4_096;
/** Notices in one answer: well below what a control lane takes, even with long paths. */
const TAKEN_MAX = 100;

export class Notices {
  #kept: Notice[] = [];
  #lost = 0;

  add(notice: Notice): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(notice);
    else this.#lost++;
  }

  take(): { notices: Notice[]; lost: number } {
    const notices = this.#kept.splice(0, TAKEN_MAX);
    const lost = this.#lost;
    this.#lost = 0;
    return { notices, lost };
  }
}
