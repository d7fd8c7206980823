/** Where an instance lives: the name of its workflow and its own id. Written `workflow/id`. */
export interface Address {
  readonly workflow: string
  readonly id: string
}

/**
 * A path names an actor inside an instance: `''` is the root, `'payment'` its child, `'payment/card'` a
 * grandchild. Child ids are escaped so that `/` separates only.
 */
export type ActorPath = string
