/** The entry of the GraphiQL page. */
import "./workers";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./editor.css";
import "./page.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Page } from "./page";
import { createStorage } from "./storage";
import { openTabs } from "./tabs";

const storage = createStorage(localStorage);
const operation = openTabs(storage, new URLSearchParams(window.location.search));
// The tab has it now: a reload must not open it again, and no history should keep it.
window.history.replaceState(null, "", window.location.pathname);

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Page storage={storage} operation={operation} />
    </StrictMode>,
  );
}
