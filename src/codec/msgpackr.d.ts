/** The package's build without generated code has no declarations of its own; its exports are the same. */
declare module 'msgpackr/index-no-eval' {
  export * from 'msgpackr'
}
