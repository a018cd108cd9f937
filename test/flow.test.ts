/** What is asked of a server that knows only an older version, and what is made of its answer. */
import { describe, expect, test } from "vitest";
import { z } from "zod";

import { sendLeave, sendLeaveV1 } from "../src/endpoints.js";
import { defineEndpoint, type Endpoint, type JsonValue } from "../src/index.js";
import { reply } from "../src/testing.js";
import { createWorld, eventId } from "./client/world.js";

const a = "a.example";
const b = "b.example";
const world = createWorld(a, b);
const rounds = 1;
const good = { type: "m.x" };

interface Input {
  roomId: string;
}
interface Output {
  events: object[];
}
const path = (version: number): `/_matrix/x/${number}/{roomId}` => `/_matrix/x/${version}/{roomId}`;
const base = { audience: "resident", spec: "https://example.org" } as const;
/** As a user may write it: it takes anything. */
const lax: Endpoint<Input, JsonValue, "resident"> = defineEndpoint({
  ...base,
  name: "x_1",
  path: path(1),
  response: z.any(),
});
const strict: Endpoint<Input, Output, "resident"> = defineEndpoint({
  ...base,
  name: "x_2",
  path: path(2),
  response: z.looseObject({ events: z.array(z.any()), by: z.string().optional() }),
  events: ["events"],
  fault: ({ by }: { by?: string }, server, input) =>
    by === undefined || by === `${server} ${input?.roomId}` ? undefined : { message: "another's", path: ["by"] },
  olderVersion: { endpoint: lax },
});

describe("the answer of an older version", () => {
  const asked = async (answer: JsonValue) => {
    world.server(a).on(strict, reply.matrixError(404, "M_UNRECOGNIZED"));
    world.server(a).on(lax, reply.json(answer));
    return await world.room([a]).safe.request(strict, {}, { rounds });
  };

  test("has to have the form of the newer one (bug: it was taken as it was)", async () => {
    for (const answer of [{ events: 5 }, [200, { events: 5 }], null, "x", [200], [], [200, null]]) {
      const { ok, attempts } = await asked(answer);
      expect([ok, attempts[0]?.verdict]).toEqual([false, "invalid"]);
    }
  });

  test("is held against the newer one's `fault`, with the server and the input", async () => {
    const right = { events: [], by: `${a} !room:a.example` };
    expect(await asked(right)).toMatchObject({ ok: true, value: right });
    expect((await asked({ events: [], by: `${b} !room:a.example` })).attempts).toMatchObject([
      { verdict: "invalid", error: { issues: [{ path: "$.by", message: "another's" }] } },
    ]);
  });

  test("loses its bad events and tells of them (bug: they were handed out)", async () => {
    for (const answer of [{ events: [good, 5] }, [200, { events: [good, 5] }]]) {
      const result = await asked(answer);
      expect(result).toMatchObject({ ok: true, value: { events: [good] }, dropped: [{ path: "$.events[1]" }] });
    }
  });

  test("has to be valid for the older one, too", async () => {
    const fussy = defineEndpoint({ ...lax, response: z.looseObject({ extra: z.string() }) });
    const endpoint = defineEndpoint({ ...strict, olderVersion: { endpoint: fussy } });
    world.server(a).on(strict, reply.matrixError(404, "M_UNRECOGNIZED"));
    world.server(a).on(lax, reply.json({ events: [] }));
    const { attempts } = await world.room([a]).safe.request(endpoint, {}, { rounds });
    expect(attempts).toMatchObject([{ verdict: "invalid", error: { issues: [{ path: "$.extra" }] } }]);
  });

  test("may be a list, where that is the answer of both", async () => {
    const list = z.array(z.string());
    const v1 = defineEndpoint({ ...lax, response: list });
    const v2 = defineEndpoint({ ...lax, name: "x_2", path: path(2), response: list, olderVersion: { endpoint: v1 } });
    world.server(a).on(v2, reply.matrixError(404, "M_UNRECOGNIZED"));
    world.server(a).on(v1, reply.json(["a", "b"]));
    expect((await world.room([a]).request(v2, {})).value).toEqual(["a", "b"]);
  });
});

test.each([[[403, {}]], [[500, {}]], [[199, {}]], [["200", {}]], [[200.5, {}]], [[null, {}]]])(
  "a pair that begins with anything but a success is none: %j (bug: 403 was taken for one)",
  async (answer) => {
    const event = { type: "m.room.member" };
    world.on(a, reply.matrixError(404, "M_UNRECOGNIZED"), sendLeave.name);
    world.on(a, reply.json(answer as JsonValue), sendLeaveV1.name);
    const { ok, attempts } = await world.room([a]).safe.sendLeave({ eventId, event }, { rounds });
    expect([ok, attempts[0]]).toMatchObject([false, { verdict: "invalid", mayHaveTakenEffect: true }]);
  },
);
