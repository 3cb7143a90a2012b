/** Ways to copy between private and shared memory: `ring-copies.ts <bytes> <milliseconds for each>`. */
import { bestNs } from './ring-step.ts';

/** Copies go to changing places within a quarter of a MiB, which stays in the caches of one core. */
const PLACES_MASK = 2 ** 18 - 1;

const [bytes, timeMs] = process.argv.slice(2).map(Number) as [number, number];
const words = bytes / 8;
const shared = new SharedArrayBuffer(PLACES_MASK + 1 + bytes);
const sharedWords = new Float64Array(shared);
const sharedBytes = Buffer.from(shared);
// Longer than what is copied, since `Buffer.copy` of a whole Buffer is `set` again.
const own = new ArrayBuffer(bytes + 8);
const ownWords = new Float64Array(own, 0, words);
const ownBytes = Buffer.from(own);

/** Each takes the place in the shared memory, in bytes. */
const ways: Readonly<Record<string, (place: number) => void>> = {
  'to shared: words': (place) => {
    const to = place >> 3;
    for (let word = 0; word < words; word++) sharedWords[to + word] = ownWords[word]!;
  },
  'to shared: set': (place) => sharedWords.set(ownWords, place >> 3),
  'to shared: copy': (place) => {
    ownBytes.copy(sharedBytes, place, 0, bytes);
  },
  'from shared: words': (place) => {
    const from = place >> 3;
    for (let word = 0; word < words; word++) ownWords[word] = sharedWords[from + word]!;
  },
  'from shared: set': (place) => ownWords.set(sharedWords.subarray(place >> 3, (place >> 3) + words)),
  'from shared: copy': (place) => {
    sharedBytes.copy(ownBytes, 0, place, place + bytes);
  },
};

const found: Record<string, number> = {};
for (const [way, copy] of Object.entries(ways)) {
  found[way] = bestNs((times) => {
    for (let turn = 0; turn < times; turn++) copy((turn * (bytes + 8)) & PLACES_MASK & -8);
  }, timeMs);
}
process.stdout.write(JSON.stringify(found));
