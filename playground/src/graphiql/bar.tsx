/** The bar above the editor: links to the other pages, and the viewer. */
import { useRef, useSyncExternalStore } from "react";
import { clearToken, getToken, subscribe } from "../session";
import type { Client } from "./client";
import { SignIn } from "./sign-in";
import { useViewer, type Viewer } from "./viewer";

/** A notice next to the viewer. */
export interface Notice {
  kind: "info" | "error";
  text: string;
}

interface BarProps {
  client: Client;
  /** Whether the server has `signIn`; undefined until the schema is loaded. */
  hasPasswords: boolean | undefined;
  notice: Notice | null;
  onNotice: (notice: Notice | null) => void;
  onFailure: (message: string) => void;
}

export function Bar({ client, hasPasswords, notice, onNotice, onFailure }: BarProps) {
  const session = useRef<HTMLElement>(null);
  const token = useSyncExternalStore(subscribe, getToken);
  const viewer = useViewer(client, token, onFailure);

  /** The focused control is gone: keep the keyboard focus in its place. */
  function changed(notice: Notice | null) {
    onNotice(notice);
    session.current?.focus();
  }

  function signOut() {
    clearToken();
    changed({ kind: "info", text: "Signed out." });
  }

  return (
    <header>
      <h1>
        Entourage <span>GraphiQL</span>
      </h1>
      <nav aria-label="Pages">
        <a href="./">App</a>
        <a href="schema.graphql">Schema</a>
      </nav>
      <section aria-label="Session" ref={session} tabIndex={-1}>
        <p role="status" className={notice?.kind}>
          {notice ? notice.text : <Identity token={token} viewer={viewer} />}
        </p>
        {token !== null ? (
          <button type="button" onClick={signOut}>
            Sign out
          </button>
        ) : (
          hasPasswords !== undefined && (
            <SignIn
              client={client}
              hasPasswords={hasPasswords}
              onFailure={onFailure}
              onSuccess={() => changed(null)}
            />
          )
        )}
      </section>
    </header>
  );
}

function Identity({ token, viewer }: { token: string | null; viewer: Viewer | null }) {
  if (token === null) {
    return "Signed out";
  }
  if (viewer === null) {
    return "Signing in…";
  }
  return (
    <>
      Signed in as <strong>{viewer.user.username}</strong>, role <strong>{viewer.role.name}</strong>
      ,{" "}
      {viewer.permissions.length > 0 ? (
        <>
          with <code>{viewer.permissions.join(" ")}</code>
        </>
      ) : (
        "without permissions"
      )}
    </>
  );
}
