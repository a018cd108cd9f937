import type { Endpoint } from "../endpoint.js";
import { isFederationError, NameError, OptionError, SignError } from "../errors.js";
import { type PreparedRequest, prepareRequest } from "../sign/prepare-request.js";
import { fieldsOf } from "./iterate.js";

/** What a caller passed as the input of a call, with the room of the handle where there is one. */
function inputWith<Input extends object>(given: unknown, roomId: string | undefined): Input {
  if (roomId === undefined) return fieldsOf(given as Input);
  // The handle of a room has all that some calls need.
  return { ...(given === undefined ? {} : fieldsOf(given as object)), roomId } as unknown as Input;
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
    return prepareRequest(endpoint, inputWith<Input>(given, roomId), origin);
  } catch (error) {
    throw toldOf(endpoint, error);
  }
}

/** The error, told of the endpoint: names and paths are checked where nobody knows what they are for. */
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
