/** Why a document of the package is not among the cases that pass. */
export interface Unsupported {
  /**
   * How it can be seen: `unconvertible`, the converter refuses the document; `fails`, live XState does not do
   * what it expects; `noExpectation`, the package does not say what to expect of it.
   */
  readonly because: 'unconvertible' | 'fails' | 'noExpectation'
  readonly reason: string
}

const overHttp = 'needs an HTTP server, and the package has no expectation for it'
const invoked = 'is no case but a document that another case invokes'

/** Every document that is not run as a case. A test holds each of them to what is said here. */
export const unsupported: Readonly<Record<string, Unsupported>> = {
  'error/error': {
    because: 'fails',
    reason: 'asks for the line, column and element of an error, which nothing in XState knows',
  },
  'test-ext/node/require/require': {
    because: 'fails',
    reason:
      'calls require() and keeps modules in the data model: no expression sees it, no store could keep them',
  },
  'w3c-ecma/test178.txml': {
    because: 'noExpectation',
    reason: 'a person has to look for both values of a repeated param in the log',
  },
  'w3c-ecma/test215.txml': {
    because: 'unconvertible',
    reason: 'invoke typeexpr: XState fixes what is invoked',
  },
  'w3c-ecma/test216.txml': {
    because: 'unconvertible',
    reason: 'invoke srcexpr: XState fixes what is invoked',
  },
  'w3c-ecma/test216sub1': { because: 'noExpectation', reason: invoked },
  'w3c-ecma/test226sub1': { because: 'noExpectation', reason: invoked },
  'w3c-ecma/test229.txml': { because: 'unconvertible', reason: 'autoforward: XState 5 has none' },
  'w3c-ecma/test230.txml': { because: 'unconvertible', reason: 'autoforward: XState 5 has none' },
  'w3c-ecma/test233.txml': { because: 'unconvertible', reason: 'finalize: XState has none' },
  'w3c-ecma/test234.txml': { because: 'unconvertible', reason: 'finalize: XState has none' },
  'w3c-ecma/test239sub1': { because: 'noExpectation', reason: invoked },
  'w3c-ecma/test242sub1': { because: 'noExpectation', reason: invoked },
  'w3c-ecma/test250.txml': {
    because: 'fails',
    reason: 'has no state to pass in: a person has to look for the exit actions in the log',
  },
  'w3c-ecma/test276sub1': { because: 'noExpectation', reason: invoked },
  'w3c-ecma/test301.txml': {
    because: 'noExpectation',
    reason: 'is to be rejected, as its script cannot be read, but the package does not say so',
  },
  'w3c-ecma/test307.txml': {
    because: 'fails',
    reason: 'has no state to pass in: a person has to compare two lines of the log',
  },
  'w3c-ecma/test326.txml': {
    because: 'fails',
    reason: 'compares _ioprocessors by identity with a copy kept in the data model, which is plain data here',
  },
  'w3c-ecma/test329.txml': {
    because: 'fails',
    reason: 'compares _event by identity with a copy kept in the data model, which is plain data here',
  },
  'w3c-ecma/test344.txml': {
    because: 'fails',
    reason: 'a condition that cannot be evaluated has to raise an error, but a guard of XState cannot raise',
  },
  'w3c-ecma/test415.txml': {
    because: 'noExpectation',
    reason: 'a person has to see that nothing happens after the final state',
  },
  'w3c-ecma/test509.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test510.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test518.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test519.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test520.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test522.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test530.txml': {
    because: 'unconvertible',
    reason: 'invokes a document kept in a variable: XState fixes what is invoked',
  },
  'w3c-ecma/test531.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test532.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test534.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test554.txml': {
    because: 'fails',
    reason: 'an invocation whose input cannot be evaluated has to be skipped; XState fails the whole machine',
  },
  'w3c-ecma/test557.txml': { because: 'unconvertible', reason: 'data in XML has to become a DOM' },
  'w3c-ecma/test561.txml': { because: 'unconvertible', reason: 'content in XML has to become a DOM' },
  'w3c-ecma/test567.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test577.txml': { because: 'noExpectation', reason: overHttp },
  'w3c-ecma/test579.txml': {
    because: 'unconvertible',
    reason: 'actions on the default transition of a history state: XState has none there',
  },
}
