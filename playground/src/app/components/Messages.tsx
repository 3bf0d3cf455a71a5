/** Shows the current message until it is dismissed or replaced, or the user leaves the page. */

import { useEffect, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { dismiss, getMessage, subscribeMessage } from "../messages";
import { focusHeading } from "./Heading";

export function Messages() {
  const message = useSyncExternalStore(subscribeMessage, getMessage);
  const [path] = useLocation();
  const isHere = message?.path === path;

  useEffect(() => {
    if (!isHere) {
      dismiss();
    }
  }, [isHere]);

  // Screen readers announce changes within a region that already existed.
  return (
    <div className="messages">
      {(["status", "error"] as const).map((tone) => (
        <div key={tone} role={tone === "error" ? "alert" : "status"}>
          {message?.tone === tone && isHere && (
            <div key={message.id} className={`message ${tone}`}>
              <p>{message.text}</p>
              <button type="button" className="quiet" aria-label="Dismiss" onClick={close}>
                <span aria-hidden="true">×</span>
              </button>
            </div>
          )}
        </div>
      ))}
    </div>
  );
}

function close() {
  dismiss();
  focusHeading();
}
