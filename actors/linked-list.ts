/** What a list needs of its members: each is in one list at most. */
export interface Linked<T> {
  previous: T | undefined
  next: T | undefined
}

/** Members in order, linked by themselves: appending and removing cost the same however many there are. */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined
  #last: T | undefined

  get first(): T | undefined {
    return this.#first
  }

  append(member: T): void {
    member.previous = this.#last
    if (this.#last === undefined) this.#first = member
    else this.#last.next = member
    this.#last = member
  }

  /** Expects that the member is in this list. */
  remove(member: T): void {
    const { previous, next } = member
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    member.previous = undefined
    member.next = undefined
  }
}
