/** GraphiQL, with a bar above it that signs in to the server. */
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { GraphiQL } from "graphiql";
import type { GraphQLSchema } from "graphql";
import { useCallback, useState } from "react";
import { Bar, type Notice } from "./bar";
import { createClient } from "./client";
import { EXPLORER_PLUGIN } from "./explorer";
import { createFetcher } from "./fetcher";
import { tabs } from "./tabs";

const REFUSAL: Notice = {
  kind: "error",
  text: "The server refused the token. You are signed out.",
};

const plugins = [EXPLORER_PLUGIN, HISTORY_PLUGIN];

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
          // Operations and replies may contain passwords and tokens, which must not outlive the
          // browser tab. Headers are not stored at all.
          storage={sessionStorage}
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
