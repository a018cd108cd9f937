/** An option of calls with which nobody else is asked beside a server that is slow, as all are on a busy machine. */
export const oneByOne = { onProgress: (): void => {} };
