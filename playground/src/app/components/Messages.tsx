/** Shows the current message until its time is over, it is dismissed, or the user leaves the page. */

import { useEffect, useRef, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { dismiss, getMessage, type Message, subscribeMessage } from "../messages";
import { focusHeading } from "./Heading";

/** How long a status stays. An error stays until it is dismissed: it may need to be acted on. */
const STATUS_MS = 8_000;

export function Messages() {
  const message = useSyncExternalStore(subscribeMessage, getMessage);
  const [path] = useLocation();
  const region = useRef<HTMLDivElement>(null);
  const isHere = message?.path === path;

  useEffect(() => {
    if (!isHere) {
      dismiss();
    }
  }, [isHere]);

  useEffect(() => {
    if (message?.tone !== "status") {
      return;
    }
    const timer = setInterval(() => {
      // Somebody who is about to press a button in it gets the same time again.
      if (!region.current?.querySelector(".message:is(:hover, :focus-within)")) {
        dismiss();
      }
    }, STATUS_MS);
    return () => clearInterval(timer);
  }, [message]);

  // Screen readers announce changes within a region that already existed.
  return (
    <div className="messages" ref={region}>
      {(["status", "error"] as const).map((tone) => (
        <div key={tone} role={tone === "error" ? "alert" : "status"}>
          {message?.tone === tone && isHere && <Box key={message.id} message={message} />}
        </div>
      ))}
    </div>
  );
}

function Box({ message: { tone, text, action } }: { message: Message }) {
  return (
    <div className={`message ${tone}`}>
      <p>{text}</p>
      {action && (
        <button
          type="button"
          className="quiet"
          onClick={() => {
            close();
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <button type="button" className="quiet dismiss" aria-label="Dismiss" onClick={close}>
        <span aria-hidden="true">×</span>
      </button>
    </div>
  );
}

function close() {
  dismiss();
  focusHeading();
}
