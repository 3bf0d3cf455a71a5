/** The explorer plugin, with a name for the one control that it leaves without. */
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { type GraphiQLPlugin, useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";

const plugin = explorerPlugin();
const Content = plugin.content;

export const EXPLORER_PLUGIN: GraphiQLPlugin = { ...plugin, content: Explorer };

function Explorer() {
  const container = useRef<HTMLDivElement>(null);
  // The control is there once the schema is.
  const schema = useGraphiQL((state) => state.schema);

  useEffect(() => {
    if (schema) {
      container.current?.querySelector("select")?.setAttribute("aria-label", "Operation to add");
    }
  }, [schema]);

  return (
    <div ref={container}>
      <Content />
    </div>
  );
}
