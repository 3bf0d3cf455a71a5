/** The one `h1` of a page. It names the document, and takes the focus when the page changes. */

import { type ReactNode, useEffect, useRef } from "react";
import { useLocation } from "wouter";

/** The page that was shown last; null before the first one, which leaves the focus alone. */
let shownPage: string | null = null;

interface Props {
  /** The title of the document, where it says more than the heading. */
  title?: string;
  /** What tells this page from others; by default the path. */
  page?: string;
  children: string;
  /** Shown within the heading's line, without being part of its name. */
  aside?: ReactNode;
}

export function Heading({ title, page, children, aside }: Props) {
  const ref = useRef<HTMLHeadingElement>(null);
  const [path] = useLocation();
  const shown = page ?? path;
  const name = title ?? children;

  useEffect(() => {
    document.title = name === "Entourage" ? name : `${name} · Entourage`;
  }, [name]);

  useEffect(() => {
    // A screen reader would not notice that the page has changed, and the link that was followed
    // may be gone. A skeleton's heading, too, hands the focus on to that of the loaded page.
    const changed = shownPage !== null && shownPage !== shown;
    const focusIsLost = shownPage !== null && document.activeElement === document.body;
    if (changed || focusIsLost) {
      ref.current?.focus({ preventScroll: true });
    }
    shownPage = shown;
  }, [shown]);

  return (
    <div className="heading">
      <h1 ref={ref} tabIndex={-1}>
        {children}
      </h1>
      {aside}
    </div>
  );
}
