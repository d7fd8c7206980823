import { describe, expect, it } from 'vitest'

import { readConfig } from '../../src/cli/config.ts'

describe('the environment', () => {
  it('names the server, the namespace and the nats-server', () => {
    const config = readConfig(
      {
        HOLDFAST_CREDS: '/etc/user.creds',
        HOLDFAST_SERVER: 'nats://a:1',
        HOLDFAST_NAMESPACE: 'n',
        HOLDFAST_NATS_SERVER: '/bin/nats-server',
      },
      undefined,
    )

    expect(config).toMatchObject({
      creds: '/etc/user.creds',
      server: 'nats://a:1',
      namespace: 'n',
      natsServer: '/bin/nats-server',
    })
  })

  it('takes a variable set to nothing for one that is not set', () => {
    expect(readConfig({ HOLDFAST_SERVER: '', NO_COLOR: '' }, undefined)).toMatchObject({
      server: undefined,
      colors: undefined,
    })
  })

  it.each([
    [{}, undefined],
    [{ NO_COLOR: '1' }, false],
    [{ FORCE_COLOR: '1' }, true],
    [{ FORCE_COLOR: '0' }, false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('decides colours by %j', (environment, colors) => {
    expect(readConfig(environment, undefined).colors).toBe(colors)
  })

  it.each([
    ['/usr/local/bin/holdfast', {}, 'holdfast'],
    ['/project/dist/src/cli/main.js', {}, 'npx holdfast'],
    ['/project/node_modules/.bin/holdfast', { npm_lifecycle_event: 'npx' }, 'npx holdfast'],
  ])('knows how %s is called', (script, environment, program) => {
    expect(readConfig(environment, script).program).toBe(program)
  })
})
