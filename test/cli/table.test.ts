import { describe, expect, it } from 'vitest'

import { createStyle } from '../../src/cli/style.ts'
import { renderTable, type Column } from '../../src/cli/table.ts'
import { widthOf } from '../../src/cli/text.ts'

interface Row {
  readonly name: string
  readonly state: string
  readonly age: string
}

const columns: Column<Row>[] = [
  { title: 'NAME', text: ({ name }) => name },
  { title: 'STATE', cut: 'start', text: ({ state }) => state },
  { title: 'EVENT', cut: 'end', text: ({ state }) => state },
  { title: 'AGE', align: 'right', text: ({ age }) => age },
]
const rows: Row[] = [
  { name: 'order/1', state: 'paying', age: '4 s' },
  { name: 'order/żółć', state: 'fulfilling.parcel.labelling', age: '12 min' },
]
const plain = createStyle(false)

describe('a table', () => {
  it('lines its columns up, titles above, without blanks at the ends of lines', () => {
    expect(renderTable(rows, columns.toSpliced(2, 1), { style: plain, width: undefined })).toEqual([
      'NAME        STATE                           AGE',
      'order/1     paying                          4 s',
      'order/żółć  fulfilling.parcel.labelling  12 min',
    ])
  })

  it('fits the width by cutting the columns that may be cut, the rightmost first', () => {
    const lines = renderTable(rows, columns, { style: plain, width: 64 })

    expect(lines).toEqual([
      'NAME        STATE                       EVENT                AGE',
      'order/1     paying                      paying               4 s',
      'order/żółć  …parcel.labelling           fulfilling.parc…  12 min',
    ])
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(64)
  })

  it('leaves out what is optional only when cutting does not suffice', () => {
    const optional = columns.map(column => {
      return column.title === 'EVENT' ? { ...column, isOptional: true as const } : column
    })
    const render = (width: number) => renderTable(rows, optional, { style: plain, width })

    // 12 + 16 + 16 + 6, and two blanks between each two.
    expect(render(54)[0]).toBe('NAME        STATE             EVENT                AGE')
    expect(render(53)[0]).toBe('NAME        STATE                           AGE')
  })

  it('lets nothing through that a terminal would obey', () => {
    const evil = { name: 'a\u001B[2Jb', state: 'x\ny', age: '' }

    const lines = renderTable([evil], columns, { style: plain, width: undefined })

    expect(lines).toHaveLength(2)
    expect(lines[1]).toContain('a\\u001b[2Jb')
    expect(lines[1]).toContain('x\\u000ay')
  })

  it('colours cells without moving them', () => {
    const painted = columns.map(column => ({ ...column, paint: (text: string) => `<${text}>` }))

    const [, first] = renderTable(rows, painted, { style: plain, width: undefined })

    expect(first).toMatch(/^<order\/1 {3}> {2}<paying +> {2}/)
  })
})
