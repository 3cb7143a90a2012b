import { SCENARIOS } from './catalog.ts';
import { playOrder } from './stage.ts';
import { TestThread } from '../../../kernel/testkit/test-thread.ts';
const s = SCENARIOS.find((x) => x.name === process.argv[2])!;
const counts = new Map<string, number>();
const former = TestThread.prototype.nextDueMs;
TestThread.prototype.nextDueMs = function (now: number) { const due = former.call(this, now); const k = `${this.name} due in ${due - now > 5 ? 'long' : due - now <= 0 ? 'past' : 'soon'} retry ${!this.runtime.handling.outbox.isEmpty}/${!this.runtime.post.sends.isEmpty} state ${this.runtime.block.state}`; counts.set(k, (counts.get(k) ?? 0) + 1); return due; };
await playOrder(s, +process.argv[3]!);
console.log([...counts].sort((a, b) => b[1] - a[1]).slice(0, 8));
