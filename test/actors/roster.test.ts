import { describe, expect, it } from 'vitest'

import { Roster } from '../../actors/roster.ts'

const ttlMs = 900

/** The roster of node `me`, which hears itself three times in a time to live, as it should. */
class Hearing {
  readonly roster = new Roster('me', ttlMs)
  now = 0

  /** Time passes; node `me` and these others are heard all the while. */
  pass(durationMs: number, ...others: readonly string[]): this {
    for (const until = this.now + durationMs; this.now < until;) {
      this.now = Math.min(until, this.now + ttlMs / 3)
      for (const name of ['me', ...others]) this.roster.heard(name, this.now)
    }
    return this
  }

  /** Time passes in which nothing is heard. */
  passDeaf(durationMs: number): this {
    this.now += durationMs
    return this
  }

  hear(...names: readonly string[]): this {
    for (const name of names) this.roster.heard(name, this.now)
    return this
  }

  get alive(): readonly string[] {
    return this.roster.alive(this.now)
  }
}

describe('a roster', () => {
  it('begins with the node itself', () => {
    expect(new Hearing().alive).toEqual(['me'])
  })

  it('knows everyone who was heard, sorted', () => {
    expect(new Hearing().hear('zoe', 'me', 'bob').alive).toEqual(['bob', 'me', 'zoe'])
  })

  it('knows what the others have said last that they stay away from', () => {
    const { roster } = new Hearing()

    roster.heard('bob', 500, 0, [3])
    roster.heard('zoe', 500, 0, [4])
    roster.heard('zoe', 500, 400, [5])
    const before = roster.avoided
    roster.heard('zoe', 501)

    expect(before).toEqual(
      new Map([
        ['bob', new Set([3])],
        ['zoe', new Set([4])],
      ]),
    )
    expect(roster.avoided).toEqual(new Map([['bob', new Set([3])]]))
  })

  it('forgets what a node stays away from that leaves or falls silent', () => {
    const { roster } = new Hearing()
    roster.heard('bob', 0, 0, [3])
    roster.heard('zoe', 0, 0, [4])
    roster.heard('me', ttlMs)

    roster.left('bob')
    roster.alive(ttlMs)

    expect(roster.avoided.size).toBe(0)
  })

  it('keeps a node that was heard less than a time to live ago', () => {
    const hearing = new Hearing().hear('me', 'bob')

    expect(hearing.pass(ttlMs - 1).alive).toEqual(['bob', 'me'])
  })

  it('drops a node that was not heard for a time to live', () => {
    const hearing = new Hearing().hear('me', 'bob', 'zoe')

    expect(hearing.pass(ttlMs, 'zoe').alive).toEqual(['me', 'zoe'])
  })

  it('counts from when a node spoke, not from when that was read', () => {
    const hearing = new Hearing().hear('me')
    hearing.roster.heard('bob', 0, ttlMs - 100)

    expect(hearing.pass(99).alive).toEqual(['bob', 'me'])
    expect(hearing.pass(1).alive).toEqual(['me'])
  })

  it('does not take what is read for newer than what was heard', () => {
    const hearing = new Hearing().pass(100).hear('me', 'bob')
    hearing.roster.heard('bob', hearing.now, ttlMs - 100)

    expect(hearing.pass(ttlMs - 1).alive).toEqual(['bob', 'me'])
  })

  it('drops a node that leaves at once, and knows it again when it comes back', () => {
    const hearing = new Hearing().hear('me', 'bob')

    hearing.roster.left('bob')
    const without = hearing.alive

    expect(without).toEqual(['me'])
    expect(hearing.hear('bob').alive).toEqual(['bob', 'me'])
  })

  it('keeps itself whatever is said under its name', () => {
    const hearing = new Hearing().hear('me')

    hearing.roster.left('me')

    expect(hearing.alive).toEqual(['me'])
  })

  it('says when the next node has been silent for too long', () => {
    const hearing = new Hearing().hear('me', 'bob').pass(200, 'zoe')

    expect(hearing.roster.nextSilence(hearing.now)).toBe(ttlMs)
    expect(hearing.pass(ttlMs - 200).alive).toEqual(['me', 'zoe'])
    expect(hearing.roster.nextSilence(hearing.now)).toBe(200 + ttlMs)
  })

  it('waits for nobody when it is alone', () => {
    const hearing = new Hearing().pass(ttlMs)

    expect(hearing.roster.nextSilence(hearing.now)).toBeUndefined()
  })
})

describe('a roster of a node that does not hear even itself', () => {
  it('judges nobody', () => {
    const hearing = new Hearing().hear('me', 'bob').passDeaf(10 * ttlMs)

    expect(hearing.alive).toEqual(['bob', 'me'])
    expect(hearing.roster.nextSilence(hearing.now)).toBeUndefined()
  })

  it('judges nobody before it has heard itself for the first time', () => {
    const hearing = new Hearing().hear('bob').passDeaf(10 * ttlMs)

    expect(hearing.alive).toEqual(['bob', 'me'])
  })

  it('still believes a node that says that it leaves', () => {
    const hearing = new Hearing().hear('me', 'bob').passDeaf(10 * ttlMs)

    hearing.roster.left('bob')

    expect(hearing.alive).toEqual(['me'])
  })

  it('gives everyone a new time to live once it hears itself again', () => {
    const hearing = new Hearing()
      .hear('me', 'bob', 'zoe')
      .passDeaf(10 * ttlMs)
      .hear('me')

    expect(hearing.pass(ttlMs - 1, 'zoe').alive).toEqual(['bob', 'me', 'zoe'])
    expect(hearing.pass(1, 'zoe').alive).toEqual(['me', 'zoe'])
  })

  it('gives nobody a new time to live for what an earlier run under its name has said', () => {
    const hearing = new Hearing().hear('me', 'bob').passDeaf(10 * ttlMs)

    hearing.roster.heard('me', hearing.now, 1)

    expect(hearing.roster.nextSilence(hearing.now)).toBeUndefined()
  })

  it('is not one that hears itself as often as it speaks', () => {
    const hearing = new Hearing().hear('me', 'bob').pass(2 * ttlMs)

    expect(hearing.alive).toEqual(['me'])
  })

  it('does not give those whom it read of when it began a new time to live when it hears itself first', () => {
    const hearing = new Hearing()
    hearing.roster.heard('bob', hearing.now, ttlMs - 100)

    expect(hearing.hear('me').pass(100).alive).toEqual(['me'])
  })
})
