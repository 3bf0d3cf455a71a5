/** Shows what others did, until the time of each notice is over or it is dismissed. */

import { useEffect, useRef, useSyncExternalStore } from "react";
import { Link } from "wouter";
import { dismissNotice, getNotices, type Notice, subscribeNotices } from "../notices";
import { focusHeading } from "./Heading";

/** How long a notice stays. */
const NOTICE_MS = 10_000;

/** Screen readers announce what is added to a log, politely. */
export function Notices() {
  const notices = useSyncExternalStore(subscribeNotices, getNotices);
  return (
    <div className="notices" role="log" aria-label="News">
      {notices.map((notice) => (
        <Box key={notice.id} notice={notice} />
      ))}
    </div>
  );
}

function Box({ notice: { id, name, text, path } }: { notice: Notice }) {
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const timer = setInterval(() => {
      // Somebody who is about to use it gets the same time again.
      if (!box.current?.matches(":is(:hover, :focus-within)")) {
        dismissNotice(id);
      }
    }, NOTICE_MS);
    return () => clearInterval(timer);
  }, [id]);

  return (
    <div className="message news" ref={box}>
      <p>
        <Link href={path} onClick={() => dismissNotice(id)}>
          {name}
        </Link>{" "}
        {text}
      </p>
      <button
        type="button"
        className="quiet dismiss"
        aria-label={`Dismiss: ${name} ${text}`}
        onClick={() => {
          dismissNotice(id);
          focusHeading();
        }}
      >
        <span aria-hidden="true">×</span>
      </button>
    </div>
  );
}
