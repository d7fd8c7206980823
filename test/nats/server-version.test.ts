import { describe, expect, it } from 'vitest'
import { isAtLeast, requireSupported } from '../../src/nats/server-version.ts'
import { errorOf } from '../workflow/error-of.ts'

describe('server versions', () => {
  it.each([
    ['2.9.10', undefined],
    ['2.15.1', undefined],
    ['2.10.23', 'prod'],
    ['2.12.0-RC.1', 'prod'],
    ['3.0.0', ''],
  ])('takes %s in cluster %s', (version, cluster) => {
    expect(() => requireSupported({ version, ...(cluster !== undefined && { cluster }) })).not.toThrow()
  })

  it.each([
    ['2.9.9', undefined, '2.9.10'],
    ['1.4.1', undefined, '2.9.10'],
    ['2.9.10', 'prod', '2.10.23'],
    ['2.10.22', 'prod', '2.10.23'],
    ['unknown', undefined, '2.9.10'],
  ])('refuses %s in cluster %s and names %s', (version, cluster, lowest) => {
    const error = errorOf(() => requireSupported({ version, ...(cluster !== undefined && { cluster }) }))

    expect(error).toMatchObject({ code: 'SERVER_UNSUPPORTED', fields: { lowest, version } })
    expect(error.message).toContain(version)
  })

  it('compares numbers, not text', () => {
    expect([isAtLeast('2.10.0', [2, 9, 10]), isAtLeast('2.9.2', [2, 9, 10])]).toEqual([true, false])
  })
})
