/** The Restate SDK needs `Promise.withResolvers`, which Node 20 has not. Imported for its effect, before the SDK. */
interface Resolvers<T> {
  readonly promise: Promise<T>
  readonly reject: (reason?: unknown) => void
  readonly resolve: (value: PromiseLike<T> | T) => void
}

function withResolvers<T>(): Resolvers<T> {
  let resolve!: Resolvers<T>['resolve']
  let reject!: Resolvers<T>['reject']
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, reject, resolve }
}

const constructor = Promise as { withResolvers?: unknown }
constructor.withResolvers ??= withResolvers
