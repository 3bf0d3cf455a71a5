/** A page that could not be loaded, with the way to try again. */

import { describeError, requestId } from "../errors";
import { Heading } from "./Heading";

interface Props {
  error: unknown;
  retry: () => Promise<unknown>;
}

export function Problem({ error, retry }: Props) {
  const id = requestId(error);
  return (
    <section className="notice">
      <Heading>Something went wrong</Heading>
      <p role="alert">{describeError(error)}</p>
      {id && (
        <p>
          The server’s log has the cause under the request id <code>{id}</code>.
        </p>
      )}
      <button
        type="button"
        className="button"
        // A second failure arrives as the query's error, so that the promise has nothing to add.
        onClick={() => retry().catch(() => undefined)}
      >
        Try again
      </button>
    </section>
  );
}
