/** Which of the workflows of this node are paused, by themselves or with the whole namespace. */
import type { PauseListener, Pauses, PauseScope, Pause } from '../../actors/ports.ts'
import type { Log } from './log.ts'

export interface PausedWorkflowsContext {
  readonly log: Log
  readonly pauses: Pick<Pauses, 'watch'>
  /** Those that this node runs. */
  readonly workflows: readonly string[]
  /** Told of every change after the beginning. */
  readonly changed: (paused: readonly string[], goingOn: readonly string[]) => void
}

export class PausedWorkflows implements PauseListener {
  readonly #context: PausedWorkflowsContext
  readonly #scopes = new Set<PauseScope>()
  #paused: ReadonlySet<string> = new Set()
  #isBegun = false
  #stop = () => {}

  constructor(context: PausedWorkflowsContext) {
    this.#context = context
  }

  /** By name. */
  get paused(): ReadonlySet<string> {
    return this.#paused
  }

  /**
   * Resolved once it is known what is paused.
   *
   * @throws whatever the pauses throw
   */
  async begin(): Promise<void> {
    this.#stop = await this.#context.pauses.watch(this)
    this.#isBegun = true
  }

  /** Hears nothing more. */
  end(): void {
    this.#stop()
  }

  changed(scope: PauseScope, pause: Pause | undefined): void {
    if (pause === undefined) this.#scopes.delete(scope)
    else this.#scopes.add(scope)
    const { changed, log, workflows } = this.#context
    const before = this.#paused
    const isPaused = (workflow: string) => this.#scopes.has(undefined) || this.#scopes.has(workflow)
    this.#paused = new Set(workflows.filter(isPaused))
    const paused = [...this.#paused].filter(workflow => !before.has(workflow))
    const goingOn = [...before].filter(workflow => !this.#paused.has(workflow))
    if (paused.length > 0) log.info({ workflows: paused, reason: pause?.reason }, 'workflows are paused')
    if (goingOn.length > 0) log.info({ workflows: goingOn }, 'workflows go on')
    if (this.#isBegun && paused.length + goingOn.length > 0) changed(paused, goingOn)
  }

  /** What is known holds on: to let go of what may be paused would be worse. */
  ended(error: Error): void {
    this.#context.log.error({ err: error }, 'it is not heard any more which workflows are paused')
  }
}
