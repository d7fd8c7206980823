/** Plots as SVG: lines over two axes, each named at its right. */

export interface Line {
  /** Which of the colours; those of other lines of the picture are others, unless there are too many. */
  readonly colour: number
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Axis {
  readonly label: string
  /** `linear` begins at 0. */
  readonly scale: 'linear' | 'log'
  /** What is written at a mark. Default: the value. */
  readonly show?: (value: number) => string
}

export interface Axes {
  readonly title: string
  /** Marked where there are points. */
  readonly x: Axis
  readonly y: Axis
}

const width = 760
const height = 420
const left = 72
const right = 170
const top = 48
const bottom = 56
const colours = ['#6b705c', '#edae49', '#1b6ca8', '#d1495b', '#7d4f9e', '#2e933c', '#00798c']
/** How near to each other the texts of two lines, or of two marks, may be. */
const lineHeight = 16
const markDistance = 34

/** Points whose coordinates are not above 0 are left out; undefined when no line is left that has two. */
export function plot({ title, x, y }: Axes, given: readonly Line[]): string | undefined {
  const lines = given.map(line => ({ ...line, points: line.points.filter(([a, b]) => a > 0 && b > 0) }))
  if (!lines.some(({ points }) => points.length > 1)) return undefined
  const points = lines.flatMap(line => line.points)
  const across = place(
    x,
    points.map(([value]) => value),
    [left, width - right],
  )
  const up = place(
    y,
    points.map(([, value]) => value),
    [height - bottom, top],
  )
  const drawn = lines.filter(line => line.points.length > 0).map(line => lineOf(line, across.at, up.at))
  const parts = [
    ...marks(new Set(points.map(([value]) => value)), across.at).map(([value, at]) => {
      return `<path d="M${at} ${top}V${height - bottom}" stroke="#e4e4e4"/>${text(at, height - bottom + 18, (x.show ?? short)(value), 'middle')}`
    }),
    ...up.ticks.map(value => {
      const at = up.at(value)
      return `<path d="M${left} ${at}H${width - right}" stroke="#e4e4e4"/>${text(left - 8, at + 4, (y.show ?? short)(value), 'end')}`
    }),
    ...drawn.map(({ shape }) => shape),
    ...named(drawn),
    text(18, 26, title, 'start', 'font-size="13" font-weight="bold"'),
    text((left + width - right) / 2, height - 14, x.label, 'middle'),
    `<g transform="translate(18 ${(top + height - bottom) / 2}) rotate(-90)">${text(0, 0, y.label, 'middle')}</g>`,
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>${parts.join('\n')}</svg>\n`
}

interface Drawn {
  readonly colour: string
  /** Where it ends. */
  readonly endsAt: number
  readonly name: string
  readonly shape: string
}

function lineOf({ colour: index, name, points }: Line, across: At, up: At): Drawn {
  const colour = colours[index % colours.length]!
  const places = points.map(([a, b]) => [across(a), up(b)] as const)
  const dots = places.map(([a, b]) => `<circle cx="${a}" cy="${b}" r="3" fill="${colour}"/>`)
  const shape = `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}`
  return { colour, endsAt: places.at(-1)![1], name, shape }
}

/** The names in the order in which the lines end, each as near to its end as the others let it. */
function named(drawn: readonly Drawn[]): readonly string[] {
  const sorted = drawn.toSorted((a, b) => a.endsAt - b.endsAt)
  let free = top
  return sorted.map(({ colour, endsAt, name }, index) => {
    // Those that are still to come need room below.
    const lowest = height - bottom - lineHeight * (sorted.length - 1 - index)
    const at = Math.max(free, Math.min(endsAt, lowest))
    free = at + lineHeight
    return `<path d="M${width - right + 12} ${at}h16" stroke="${colour}" stroke-width="3"/>${text(width - right + 34, at + 4, name, 'start')}`
  })
}

/** The values that are marked, and where: those that would stand in each other are left out. */
function marks(values: ReadonlySet<number>, at: At): readonly (readonly [value: number, at: number])[] {
  let before = Number.NEGATIVE_INFINITY
  return [...values]
    .toSorted((a, b) => a - b)
    .map(value => [value, at(value)] as const)
    .filter(([, where]) => {
      if (where - before < markDistance) return false
      before = where
      return true
    })
}

type At = (value: number) => number

interface Placed {
  readonly at: At
  readonly ticks: readonly number[]
}

function place({ scale }: Axis, values: readonly number[], [from, to]: readonly [number, number]): Placed {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const ticks = scale === 'log' ? logTicks(least, most) : linearTicks(most)
  const measure = scale === 'log' ? Math.log10 : (value: number) => value
  const [first, last] = [measure(ticks[0]!), measure(ticks.at(-1)!)]
  const at = (value: number) =>
    Math.round((from + ((measure(value) - first) / (last - first)) * (to - from)) * 10) / 10
  return { at, ticks }
}

/** 1, 2 and 5 of every power of ten, or the powers alone when there are many; the values lie in between. */
function logTicks(least: number, most: number): readonly number[] {
  // One power more on both sides: logarithms are rounded.
  const [low, high] = [Math.floor(Math.log10(least)) - 1, Math.ceil(Math.log10(most)) + 1]
  const powers = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
  const fine = powers.flatMap(power => [power, 2 * power, 5 * power])
  const ticks = high - low > 5 ? powers : fine
  const first = ticks.findLastIndex(tick => tick <= least)
  const last = ticks.findIndex(tick => tick >= most)
  // One value alone still needs two ends.
  return ticks.slice(first, Math.max(last, first + 1) + 1)
}

function linearTicks(most: number): readonly number[] {
  const rough = most / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(times => times * power).find(each => each >= rough)!
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step)
}

function text(x: number, y: number, content: string, anchor: 'end' | 'middle' | 'start', more = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#222" ${more}>${escaped}</text>`
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3)))
}
