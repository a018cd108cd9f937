import { allEndpoints } from "../endpoints/index.js";
import { OptionError, quoted } from "../errors.js";

/**
 * What a behaviour is for: an endpoint's name (`state_ids`, `server_keys`, `well_known`, …), `*` for everything under
 * `/_matrix/`, an endpoint value, or a method with a path: a template such as `/_matrix/x/{roomId}`, or an expression
 * that is tested against the path without its query.
 */
export type RouteTarget = string | MethodAndPath;

/** The requests with one method and a path, of an endpoint that the table does not have. */
export interface MethodAndPath {
  /** The HTTP method. */
  readonly method: string;
  /** A template such as `/_matrix/x/{roomId}`, or an expression that is tested against the path without its query. */
  readonly path: string | RegExp;
}

/** Whether a request is one that a behaviour was set for. */
export type RouteMatcher = (request: {
  readonly method: string;
  readonly uri: string;
  readonly endpoint: string | undefined;
}) => boolean;

interface Route {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
}

const routes: readonly Route[] = [
  ...allEndpoints,
  { name: "server_keys", method: "GET", path: "/_matrix/key/v2/server" },
  { name: "well_known", method: "GET", path: "/.well-known/matrix/server" },
].map(({ name, method, path }) => ({ name, method, path: templatePattern(path) }));

/** The name of the endpoint that a request is for; undefined when the table has none. */
export function endpointName(method: string, uri: string): string | undefined {
  const path = pathOf(uri);
  return routes.find((route) => route.method === method && route.path.test(path))?.name;
}

/**
 * The test for a target.
 *
 * @throws {@link OptionError} `ERR_OPTION` for a name that no endpoint has.
 */
export function routeMatcher(target: RouteTarget): RouteMatcher {
  if (target === "*") return ({ uri }) => uri.startsWith("/_matrix/");
  if (typeof target === "string") {
    if (routes.some(({ name }) => name === target)) return ({ endpoint }) => endpoint === target;
    const names = [...new Set(routes.map(({ name }) => name))].join(", ");
    throw new OptionError(
      "ERR_OPTION",
      `No endpoint is named ${quoted(target)}. There are "*", ${names}; for another one, give { method, path }.`,
    );
  }
  const { method } = target;
  const path = typeof target.path === "string" ? templatePattern(target.path) : target.path;
  // search(), because test() of a global expression remembers where it stopped.
  return (request) => request.method === method && pathOf(request.uri).search(path) !== -1;
}

const pathOf = (uri: string): string => uri.split("?", 1)[0] ?? "";

/** `{…}` stands for one path segment; everything else for itself. */
function templatePattern(template: string): RegExp {
  const literal = template.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replace(/\{[^}]*\}/g, "[^/]+")}$`);
}
