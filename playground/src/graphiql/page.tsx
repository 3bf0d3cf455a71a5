/** GraphiQL, with a bar above it that signs in to the server. */
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { GraphiQL } from "graphiql";
import type { GraphQLSchema } from "graphql";
import { useCallback, useState } from "react";
import { Bar, type Notice } from "./bar";
import { createClient } from "./client";
import { CopyAsCurl } from "./copy-as-curl";
import { EXPLORER_PLUGIN } from "./explorer";
import { createFetcher, type Price } from "./fetcher";
import type { Operation } from "./tabs";

const REFUSAL: Notice = {
  kind: "error",
  text: "The server refused the token. You are signed out.",
};

const plugins = [EXPLORER_PLUGIN, HISTORY_PLUGIN];

interface Props {
  storage: Storage;
  /** The operation to open with. */
  operation: Operation;
}

export function Page({ storage, operation }: Props) {
  const [notice, setNotice] = useState<Notice | null>(null);
  const [schema, setSchema] = useState<GraphQLSchema>();
  const [price, setPrice] = useState<Price | null>(null);
  const [client] = useState(() => createClient(() => setNotice(REFUSAL)));
  const [fetcher] = useState(() => createFetcher(client, () => setNotice(null), setPrice));
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
          initialQuery={operation.query}
          initialVariables={operation.variables}
          defaultEditorToolsVisibility="variables"
          storage={storage}
          shouldPersistHeaders={false}
          onSchemaChange={setSchema}
        >
          {/* The bar has the name. */}
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
          <GraphiQL.Toolbar>
            {({ prettify, merge, copy }) => (
              <>
                {prettify}
                {merge}
                {copy}
                <CopyAsCurl onNotice={setNotice} />
              </>
            )}
          </GraphiQL.Toolbar>
          {price && (
            <GraphiQL.Footer>
              <p className="price" role="status">
                Last answer: {describe(price)}
              </p>
            </GraphiQL.Footer>
          )}
        </GraphiQL>
      </main>
    </>
  );
}

function describe({ cost, milliseconds }: Price): string {
  const time = `${Math.round(milliseconds).toLocaleString("en")} ms`;
  return cost === undefined ? time : `cost ${cost.toLocaleString("en")}, ${time}`;
}
