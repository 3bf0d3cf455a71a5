/** The viewer according to the server. */
import { useEffect, useState } from "react";
import { ask, type Client } from "./client";
import { ViewerDocument, type ViewerQuery } from "./generated/graphql";

export type Viewer = NonNullable<ViewerQuery["viewer"]>;

/** The viewer of `token`: null if signed out or before the server has answered. */
export function useViewer(
  client: Client,
  token: string | null,
  onFailure: (message: string) => void,
): Viewer | null {
  const [viewer, setViewer] = useState<Viewer | null>(null);

  useEffect(() => {
    setViewer(null);
    if (token === null) {
      return;
    }

    let isCurrent = true;
    ask(client, ViewerDocument, {}).then(
      ({ data, errors }) => {
        if (!isCurrent) {
          return;
        }
        setViewer(data?.viewer ?? null);
        if (errors?.[0]) {
          onFailure(errors[0].message);
        }
      },
      (error: Error) => isCurrent && onFailure(error.message),
    );
    return () => {
      isCurrent = false;
    };
  }, [client, token, onFailure]);

  return viewer;
}
