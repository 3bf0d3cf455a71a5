/** GraphiQL, with a bar above it that signs in to the server. */
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import type { Fetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import type { GraphQLSchema } from "graphql";
import { useCallback, useState } from "react";
import { setToken } from "../session";
import { Bar, type Notice } from "./bar";
import { type Client, createClient } from "./client";
import { tabs } from "./tabs";

const REFUSAL: Notice = {
  kind: "error",
  text: "The server refused the token. You are signed out.",
};

const plugins = [explorerPlugin(), HISTORY_PLUGIN];

export function Page() {
  const [notice, setNotice] = useState<Notice | null>(null);
  const [schema, setSchema] = useState<GraphQLSchema>();
  const [client] = useState(() => createClient(() => setNotice(REFUSAL)));
  const [fetcher] = useState(() => createFetcher(client, () => setNotice(null)));
  const onFailure = useCallback((text: string) => setNotice({ kind: "error", text }), []);

  return (
    <>
      <Bar
        client={client}
        hasPasswords={schema && "signIn" in (schema.getMutationType()?.getFields() ?? {})}
        notice={notice}
        onNotice={setNotice}
        onFailure={onFailure}
      />
      <main>
        <GraphiQL
          fetcher={fetcher}
          plugins={plugins}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          // Headers may carry a token, which must not outlive the browser tab.
          shouldPersistHeaders={false}
          onSchemaChange={setSchema}
        >
          {/* The bar has the name. */}
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

/** Sends what the editor runs. Whoever signs in or up in the editor is signed in to the page. */
function createFetcher(client: Client, onSignIn: () => void): Fetcher {
  return async (operation, options) => {
    const result = await client(operation, options?.headers);
    for (const payload of Object.values(result.data ?? {})) {
      if (isIssued(payload)) {
        setToken(payload.token);
        onSignIn();
      }
    }
    return result;
  };
}

function isIssued(payload: unknown): payload is { token: string } {
  return (
    typeof payload === "object" &&
    payload !== null &&
    "token" in payload &&
    typeof payload.token === "string"
  );
}
