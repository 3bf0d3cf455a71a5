/** Starts the example app in the page that `index.html` has already rendered. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { sessionRestored } from "../session";
import { App } from "./App";

const root = document.getElementById("root");
if (!root) {
  throw new Error("index.html has no element #root");
}
// Otherwise a new tab would send its query twice: signed out, and again with the session.
await sessionRestored();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
