/** The button that copies the operation in the editor as a command line. */
import { ToolbarButton, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import { getToken } from "../session";
import type { Notice } from "./bar";
import { curlCommand } from "./curl";
import { isSubscription, operationToRun } from "./fetcher";

export function CopyAsCurl({ onNotice }: { onNotice: (notice: Notice) => void }) {
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const operationName = useGraphiQL((state) => state.operationName);

  async function copy() {
    try {
      const query = queryEditor?.getValue() ?? "";
      const command = curlCommand(
        new URL("graphql", document.baseURI).href,
        {
          query,
          operationName: operationToRun(query, operationName),
          variables: tryParseJSONC(variableEditor?.getValue()),
        },
        tryParseJSONC(headerEditor?.getValue()) ?? {},
        { isSignedIn: getToken() !== null, isStream: isSubscription(query, operationName) },
      );
      // Browsers offer the clipboard only to pages from https or from this machine.
      await navigator.clipboard.writeText(command);
      onNotice({ kind: "info", text: "Copied as curl." });
    } catch (error) {
      onNotice({ kind: "error", text: `Not copied: ${(error as Error).message}` });
    }
  }

  return (
    <ToolbarButton onClick={copy} label="Copy as curl">
      <svg className="graphiql-toolbar-icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="m2 4 4 4-4 4m6 1h6" fill="none" stroke="currentcolor" strokeWidth="1.5" />
      </svg>
    </ToolbarButton>
  );
}
