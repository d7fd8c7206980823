import { afterEach, describe, expect, it } from 'vitest'

import { LiveDriver } from '../live-driver.ts'
import { StepDriver } from '../step-driver.ts'
import { allCases, hasExpectation, runCase } from './cases.ts'
import { Unconvertible } from './content.ts'
import { unsupported, type Unsupported } from './unsupported.ts'

const supported = allCases.filter(name => !(name in unsupported))
const excluded = (because: Unsupported['because']) =>
  Object.keys(unsupported).filter(name => unsupported[name]!.because === because)

describe.each([
  { way: 'stored and restored between events', driverClass: StepDriver },
  { way: 'live, for reference', driverClass: LiveDriver },
])('SCXML cases $way', ({ driverClass }) => {
  let driver: StepDriver | LiveDriver | undefined
  afterEach(() => driver?.stop())

  it.each(supported)('%s', name => {
    driver = new driverClass()

    expect(runCase(name, driver)).toBe('passed')
  })
})

describe('SCXML documents that are no cases', () => {
  it('are listed: every document of the package is run or excused', () => {
    expect([...supported, ...Object.keys(unsupported)].toSorted()).toEqual(allCases)
    expect(supported.length).toBeGreaterThanOrEqual(299)
  })

  it.each(excluded('unconvertible'))('%s cannot be converted', name => {
    expect(() => runCase(name, new LiveDriver())).toThrow(Unconvertible)
  })

  it.each(excluded('fails'))('%s does not pass in live XState', name => {
    expect(runCase(name, new LiveDriver())).not.toBe('passed')
  })

  it.each(excluded('noExpectation'))('%s comes without an expectation', name => {
    expect(hasExpectation(name)).toBe(false)
  })
})
