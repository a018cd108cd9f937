/**
 * Options of a call that asks one server after the other, however slow the machine is: nothing is asked a second time
 * where the progress is told.
 */
export const oneByOne = { onProgress: () => {} };

/** What the attempts of a call were: who was asked, and what that meant. */
export const trailOf = (attempts) =>
  attempts.map(({ server, verdict, status, errcode }) => ({ server, verdict, status, errcode }));

/** An answer of a server. */
export const answeredBy = ({ name }) => ({ server: name, verdict: "answered", status: 200, errcode: undefined });

/** What servers in partial state say. */
export const partialAt = ({ name }, status, errcode) => ({ server: name, verdict: "partialState", status, errcode });
