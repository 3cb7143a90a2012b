/**
 * Rendezvous hashing, also called highest random weight: every target gets a weight from the key and
 * its own number, and the heaviest one has the key. Without a table to keep, adding a target moves only
 * the keys that it wins, and removing one only those it had. Source: D. Thaler and C. Ravishankar, "Using
 * name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking 6(1), 1998.
 *
 * A choice costs one multiplication or two for each target, which for the few targets of a router is less
 * than what a ring of virtual nodes costs to search.
 */

/** What decides to whom a message goes. `1` and `'1'` are the same key. */
export type RoutingKey = string | number;

/** FNV-1a over the UTF-16 units of the key, then mixed, since FNV leaves the upper bits of short keys alike. @returns 32 bits, unsigned */
export function hashOfKey(key: RoutingKey): number {
  const text = String(key);
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

/** @returns the index of the target that has the key, or -1 if there is none. @param targets distinct, 32 bits each */
export function heaviest(keyHash: number, targets: readonly number[]): number {
  let best = -1;
  let bestWeight = -1;
  for (let index = 0; index < targets.length; index++) {
    // Both mixings are bijections, so two targets never weigh the same for one key.
    const weight = mixed(keyHash ^ mixed(targets[index]!));
    if (weight <= bestWeight) continue;
    best = index;
    bestWeight = weight;
  }
  return best;
}

/** The last step of MurmurHash3 for 32 bits (A. Appleby): every bit of the input changes about half of the output. */
function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
