/** A page that failed to load, with a button to retry. */

import { describeError, requestId } from "../errors";
import { focusHeading, Heading } from "./Heading";

interface Props {
  error: unknown;
  retry: () => Promise<unknown>;
}

export function Problem({ error, retry }: Props) {
  const id = requestId(error);

  function tryAgain() {
    focusHeading();
    // A second failure arrives as the query's error, so the promise is ignored.
    retry().catch(() => undefined);
  }

  return (
    <section className="notice">
      <Heading>Something went wrong</Heading>
      <p>{describeError(error)}</p>
      {id && (
        <p>
          The server’s log has the cause under the request id <code>{id}</code>.
        </p>
      )}
      <button type="button" className="button" onClick={tryAgain}>
        Try again
      </button>
    </section>
  );
}
