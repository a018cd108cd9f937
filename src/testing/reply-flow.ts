import { setTimeout as sleep } from "node:timers/promises";

import { OptionError } from "../errors.js";
import { type Behaviour, untilOver } from "./behaviour.js";

/**
 * Waits, then answers.
 *
 * @param ms - How long to wait, in milliseconds.
 * @param then - What to do after that.
 */
export function delay(ms: number, then: Behaviour): Behaviour {
  return async (exchange) => {
    await sleep(ms, undefined, { signal: exchange.signal });
    await then(exchange);
  };
}

/**
 * One behaviour a request, in turn; the last one answers all further requests.
 *
 * @throws {@link OptionError} `ERR_OPTION` without a behaviour.
 */
export function sequence(...behaviours: readonly Behaviour[]): Behaviour {
  const last = behaviours.at(-1);
  if (!last) throw new OptionError("ERR_OPTION", "reply.sequence needs at least one behaviour.");
  let next = 0;
  return (exchange) => (behaviours[next++] ?? last)(exchange);
}

/** A behaviour that answers only when the test says so. */
export interface HeldBehaviour extends Behaviour {
  /** Settles when the first request has arrived. */
  readonly requested: Promise<void>;
  /** Lets all requests go on, those that wait and those that come later. */
  readonly release: () => void;
}

/** Holds the answer back until `release()` is called. */
export function held(then: Behaviour): HeldBehaviour {
  let arrive = (): void => {};
  let release = (): void => {};
  const requested = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const behaviour: Behaviour = async (exchange) => {
    arrive();
    await Promise.race([released, untilOver(exchange.signal)]);
    if (!exchange.signal.aborted) await then(exchange);
  };
  return Object.assign(behaviour, { requested, release });
}
