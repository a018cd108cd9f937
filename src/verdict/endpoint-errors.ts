/** A Matrix error code on which another resident may do better. */
export interface FailoverErrcode {
  /** The error code. */
  readonly errcode: string;
  /** The only HTTP status with which the code has that meaning; any status when absent. */
  readonly status?: number;
}

/** A Matrix error that the specification documents for an endpoint. */
export interface DocumentedError {
  /** The HTTP status. */
  readonly status: number;
  /** The error code; absent where only the status is said. */
  readonly errcode?: string;
}
