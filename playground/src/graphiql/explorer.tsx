/** The explorer plugin, with a label for the one control that lacks it. */
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { type GraphiQLPlugin, useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";

const plugin = explorerPlugin();
const Content = plugin.content;

export const EXPLORER_PLUGIN: GraphiQLPlugin = { ...plugin, content: Explorer };

function Explorer() {
  const container = useRef<HTMLDivElement>(null);
  // The control exists once the schema is loaded.
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
