export type { ActivityContext, ActivityLog } from '../actors/activity.ts'
export type { Priority } from '../actors/activity-queue.ts'
export type { CancelEvent } from '../actors/cancellation.ts'
export type { BulkItems, BulkOutcome, BulkRecord, BulkResult, BulkResults } from '../actors/bulk.ts'
export type { LetterOrigin } from '../actors/dead-letter.ts'
export type { Envelope, Refusal, Rejection, SourcePosition } from '../actors/envelope.ts'
export { isRuntimeError, RuntimeError } from '../actors/errors.ts'
export type { ErrorCode, RuntimeErrorOptions } from '../actors/errors.ts'
export type { Incident, IncidentCause, IncidentCode } from '../actors/incident.ts'
export type { OnError } from '../actors/machine.ts'
export type { ActivityReport } from '../actors/activity-report.ts'
export type { Address } from '../actors/address.ts'
export type { PermitRecord, PoolGranted } from '../actors/pool.ts'
export type { Failure, Restarts } from '../actors/restarts.ts'
export type {
  SupervisedActivity,
  SupervisedInstance,
  SupervisedNode,
  SupervisedPartition,
  SupervisionDepth,
} from '../actors/supervision.ts'
export type { ActivityRecord, InstanceStatus, Timer } from '../actors/record.ts'
export type { CancelAllOptions, CancelProgress } from './client/cancel-all.ts'
export type { CancelOptions, CancelOutcome } from './client/cancel.ts'
export { Client } from './client/client.ts'
export type { IncidentFilter, InstanceSummary, ListFilter, StartOptions, WithInput } from './client/client.ts'
export type { EditedState } from './client/edit.ts'
export type { IncidentsSettled } from './client/incidents.ts'
export { connect } from './client/connect.ts'
export type { ConnectOptions } from './client/connect.ts'
export { DeadLetters } from './client/dead-letters.ts'
export type { DeadLetter, DeadLetterFilter, ReplayOptions } from './client/dead-letters.ts'
export type { PauseWorkflowOptions, WorkflowPause, WorkflowSummary } from './client/workflow-pause.ts'
export type { NodesOptions, NodeSummary, TreeOptions } from './client/supervision.ts'
export { InstanceHandle } from './client/instance-handle.ts'
export type {
  ControlOptions,
  EditOf,
  FailOptions,
  PauseOptions,
  SendOptions,
  UpdateOptions,
  UpdateOutcome,
  WaitOptions,
} from './client/instance-handle.ts'
export type { InstanceSnapshot, RunningActivity } from './client/instance-snapshot.ts'
export type { PoolSnapshot } from './client/pool-snapshot.ts'
export { startServer } from './nats/server.ts'
export type { NatsServer, StartServerOptions } from './nats/server.ts'
export type { ConnectionOptions, RegisteredWorkflow } from './nats/transport.ts'
export type { ActivityCounts } from './runtime/activities.ts'
export type { LogOption } from './runtime/log.ts'
export { createNode, Node } from './runtime/node.ts'
export type { NodeStatus } from './runtime/node.ts'
export type { NodeActivityOptions, NodeOptions } from './runtime/options.ts'
export { createWorker, Worker } from './runtime/worker.ts'
export type { WorkerStatus } from './runtime/worker.ts'
export type { ActivityHandlers, WorkerOptions } from './runtime/worker-options.ts'
export { activity } from './workflow/activity.ts'
export { ActivityError } from './workflow/activity-error.ts'
export type { ActivityErrorOptions } from './workflow/activity-error.ts'
export type {
  ActivityOptions,
  RestartOptions,
  RetryOptions,
  TimeoutOptions,
} from './workflow/activity-options.ts'
export type { PooledOptions } from './workflow/activity-pool.ts'
export { formatAddress, parseAddress, partitionOf } from './workflow/address.ts'
export { bulk } from './workflow/bulk.ts'
export type { BulkOptions } from './workflow/bulk.ts'
export { childWorkflow } from './workflow/child-workflow.ts'
export type { ChildWorkflowOptions } from './workflow/child-workflow.ts'
export { remoteActivity } from './workflow/remote-activity.ts'
export type {
  ActivityHandler,
  HandlerOf,
  RemoteActivityOptions,
  RemoteTimeoutOptions,
  TaskContext,
} from './workflow/remote-activity.ts'
export { defineWorkflow } from './workflow/define-workflow.ts'
export type {
  ContextOf,
  EventOf,
  EventSchemas,
  InputOf,
  OutputOf,
  SnapshotOf,
  Workflow,
  WorkflowOptions,
} from './workflow/define-workflow.ts'
export type { Duration } from './workflow/duration.ts'
export type { Persist } from './workflow/persist.ts'
export { pool } from './workflow/pool.ts'
export type { PoolLogic, PoolOptions, PoolRequest } from './workflow/pool.ts'
export type { QueueingOptions, RateOptions } from './workflow/queueing-options.ts'
export { instanceRef, startInstance } from './workflow/instance-ref.ts'
export type { InstanceStart } from './workflow/instance-ref.ts'
export type { WorkflowProblem } from './workflow/machine-problems.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './workflow/schema.ts'
