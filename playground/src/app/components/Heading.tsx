/** The one `h1` of a page. It names the document, and takes the focus when the page changes. */

import { useEffect } from "react";
import { useLocation } from "wouter";

/** The page that was shown last; null before the first one, which leaves the focus alone. */
let shownPage: string | null = null;

/** For when the element that had the focus is about to go. */
export function focusHeading(): void {
  document.querySelector("h1")?.focus({ preventScroll: true });
}

interface Props {
  /** The title of the document, where it says more than the heading. */
  title?: string;
  /** What tells this page from others; by default the path. */
  page?: string;
  children: string;
}

export function Heading({ title, page, children }: Props) {
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
      focusHeading();
    }
    shownPage = shown;
  }, [shown]);

  return <h1 tabIndex={-1}>{children}</h1>;
}
