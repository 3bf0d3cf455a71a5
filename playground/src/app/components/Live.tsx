/** Keeps the screen up to date while somebody is signed in. It renders nothing. */

import { useApolloClient, useFragment } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import { graphql } from "../generated";
import { goLive } from "../live";

// The header spreads it, and so each page's query has it: the subscription begins at the first
// answer, and what happens after that is not missed.
const Live_query = graphql(`
  fragment Live_query on Query {
    viewer {
      id
      latestEventCursor
    }
  }
`);

export function Live({ token }: { token: string }) {
  const client = useApolloClient();
  const { data, complete } = useFragment({
    fragment: Live_query,
    fragmentName: "Live_query",
    from: { __typename: "Query" },
  });
  const cursor = complete ? data.viewer?.latestEventCursor : undefined;
  // Later answers have later cursors, and do not begin a new subscription.
  const isKnown = cursor !== undefined;
  const first = useRef(cursor);
  first.current ??= cursor;

  useEffect(() => {
    if (isKnown && first.current !== undefined) {
      return goLive(client, token, first.current);
    }
  }, [client, token, isKnown]);

  return null;
}
