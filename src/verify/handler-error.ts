/**
 * What a caller's `onEvent` or `onProgress` threw. It ends the call as it is, whatever it is: an error of a request that the
 * caller made meanwhile says nothing about the server that answers here.
 */
export class HandlerError extends Error {
  /** The name of the class. */
  override readonly name = "HandlerError";
  /** What was thrown. */
  readonly thrown: unknown;

  /** With what was thrown. */
  constructor(thrown: unknown) {
    super("A handler of the caller threw", { cause: thrown });
    this.thrown = thrown;
  }
}

/**
 * Calls a handler of the caller, if there is one; what it returns is to be waited for, where it is a promise.
 *
 * @throws {@link HandlerError} with what it throws, or rejects with.
 */
export function handled<News>(
  handler: ((news: News) => void | Promise<void>) | undefined,
  news: News,
): void | Promise<void> {
  try {
    const made = handler?.(news);
    return made && Promise.resolve(made).catch(rethrow);
  } catch (error) {
    return rethrow(error);
  }
}

function rethrow(error: unknown): never {
  throw new HandlerError(error);
}
