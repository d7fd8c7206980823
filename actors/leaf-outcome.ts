/** How a leaf, or a child in its place, ended. */
export type LeafOutcome =
  | { readonly status: 'done'; readonly output: unknown }
  | { readonly status: 'error'; readonly error: unknown }
