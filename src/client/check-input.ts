import type { Endpoint } from "../endpoint.js";
import { isFederationError, NameError, OptionError, quoted, SignError } from "../errors.js";
import { type PreparedRequest, prepareRequest } from "../sign/prepare-request.js";

/**
 * What a caller passed as the input of a call, with the room of the handle where there is one.
 *
 * @throws {@link OptionError} `ERR_INPUT` when it is no object.
 */
export function checkedInput<Input extends object>(given: unknown, roomId: string | undefined): Input {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  // The handle of a room has all that some calls need.
  if (!isObject && !(given === undefined && roomId !== undefined)) {
    throw new OptionError("ERR_INPUT", `The input must be an object of fields, not ${quoted(given)}.`);
  }
  return (roomId === undefined ? given : { ...(given as object | undefined), roomId }) as Input;
}

/**
 * The request that an endpoint makes of an input.
 *
 * @throws {@link OptionError} `ERR_INPUT`, {@link NameError} or {@link SignError} for a wrong input, which tell the
 * endpoint; whatever else the input throws is their cause.
 */
export function preparedFor<Input extends object>(
  endpoint: Endpoint<Input, unknown>,
  given: unknown,
  roomId: string | undefined,
  origin: string,
): PreparedRequest {
  try {
    return prepareRequest(endpoint, checkedInput<Input>(given, roomId), origin);
  } catch (error) {
    throw toldOf(endpoint, error);
  }
}

/** The error, told of the endpoint whose input is wrong: names and paths are checked where nobody knows what they are for. */
function toldOf({ name, spec }: Endpoint<never, unknown>, error: unknown): Error {
  const [message = ""] = isFederationError(error) ? error.message.split("\n") : [];
  if (error instanceof NameError) return new NameError(error.code, message, { endpoint: name });
  if (error instanceof SignError) return new SignError(error.code, message, { endpoint: name });
  if (error instanceof OptionError) {
    return new OptionError(error.code, message, { endpoint: name, docsUrl: spec, cause: error.cause });
  }
  const wrong = "The input does not have the form that the endpoint needs.";
  return new OptionError("ERR_INPUT", wrong, { endpoint: name, docsUrl: spec, cause: error });
}
