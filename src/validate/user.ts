import { serverOfUser } from "../name/identifiers.js";

/** Whether a text is a user id of a server's, letter for letter. */
export function isUserOf(text: unknown, server: string): boolean {
  try {
    // The server part begins behind the first colon: "@a:evil.example:good.example" is no user of good.example.
    return serverOfUser(text as string) === server;
  } catch {
    return false;
  }
}
