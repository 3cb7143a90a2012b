/**
 * A list whose members know their neighbours, so that any of them leaves in constant time.
 *
 * A Map in insertion order looks like one, but finding its first member costs a walk over everything that was
 * deleted before it since V8 last rebuilt its table, so a queue made of one gets slower the longer it is.
 */
export interface Linked<Member> {
  previous: Member | undefined;
  next: Member | undefined;
  /** The list it is in, if any; no member is in two. */
  list: LinkedList<never> | undefined;
}

export class LinkedList<Member extends Linked<Member>> {
  #first: Member | undefined;
  #last: Member | undefined;
  #size = 0;

  get first(): Member | undefined {
    return this.#first;
  }

  get size(): number {
    return this.#size;
  }

  /** Puts a member that is in no list at the end. */
  push(member: Member): void {
    member.previous = this.#last;
    member.next = undefined;
    member.list = this as unknown as LinkedList<never>;
    if (this.#last === undefined) this.#first = member;
    else this.#last.next = member;
    this.#last = member;
    this.#size++;
  }

  /** Has no effect on what is not in this list. */
  remove(member: Member): void {
    if (!this.has(member)) return;
    const { previous, next } = member;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    member.previous = undefined;
    member.next = undefined;
    member.list = undefined;
    this.#size--;
  }

  /** Puts a member of this list at its end. */
  rotate(member: Member): void {
    if (member === this.#last) return;
    this.remove(member);
    this.push(member);
  }

  has(member: Member): boolean {
    return (member.list as unknown) === this;
  }
}
