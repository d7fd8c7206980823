/** Plots as SVG: lines over logarithmic axes. */

export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Axes {
  readonly title: string
  readonly x: string
  readonly y: string
}

const width = 720
const height = 420
const left = 70
const right = 150
const top = 40
const bottom = 50
const colours = ['#1b6ca8', '#d1495b', '#2e933c', '#edae49', '#7d4f9e', '#00798c', '#6b705c']

/** A line for each series; points whose coordinates are not above 0 are left out. */
export function plot({ title, x, y }: Axes, given: readonly Line[]): string {
  const lines = given.map(({ name, points }) => ({ name, points: points.filter(([a, b]) => a > 0 && b > 0) }))
  const across = scale(
    lines.flatMap(({ points }) => points.map(([value]) => value)),
    left,
    width - right,
  )
  const up = scale(
    lines.flatMap(({ points }) => points.map(([, value]) => value)),
    height - bottom,
    top,
  )
  const grid = [
    ...across.ticks.map(value => {
      const at = across.place(value)
      return `<path d="M${at} ${top}V${height - bottom}" stroke="#ddd"/>${text(at, height - bottom + 16, short(value), 'middle')}`
    }),
    ...up.ticks.map(value => {
      const at = up.place(value)
      return `<path d="M${left} ${at}H${width - right}" stroke="#ddd"/>${text(left - 6, at + 4, short(value), 'end')}`
    }),
  ]
  const drawn = lines.map(({ name, points }, index) => {
    const colour = colours[index % colours.length]!
    const places = points.map(([a, b]) => `${across.place(a)},${up.place(b)}`)
    const key = top + 16 * index
    return `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/><path d="M${width - right + 12} ${key}h16" stroke="${colour}" stroke-width="3"/>${text(width - right + 34, key + 4, name, 'start')}`
  })
  const labels = [
    text(left, 20, title, 'start'),
    text((left + width - right) / 2, height - 12, x, 'middle'),
    `<g transform="translate(16 ${(top + height - bottom) / 2}) rotate(-90)">${text(0, 0, y, 'middle')}</g>`,
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>${[...grid, ...drawn, ...labels].join('\n')}</svg>\n`
}

interface Scale {
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

/** From the power of ten below the least to that above the most. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const least = Math.floor(Math.log10(Math.min(...values)))
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...values))))
  const ticks = Array.from({ length: most - least + 1 }, (_, index) => 10 ** (least + index))
  const place = (value: number) => {
    const share = (Math.log10(value) - least) / (most - least)
    return Math.round((from + share * (to - from)) * 10) / 10
  }
  return { place, ticks }
}

function text(x: number, y: number, content: string, anchor: 'end' | 'middle' | 'start'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped}</text>`
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(2)))
}
