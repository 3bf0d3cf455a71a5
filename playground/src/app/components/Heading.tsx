/** The one `h1` of a page. It names the document, and takes the focus when the page changes. */

import { useEffect } from "react";
import { useLocation } from "wouter";

/** The last page shown; null before the first one, which does not move the focus. */
let shownPage: string | null = null;

/** Whether the heading of that page has received the focus and passes it on when it is replaced. */
let hasClaimedFocus = false;

/** For when the page, or the element that has the focus, is replaced. */
export function focusHeading(): void {
  hasClaimedFocus = true;
  document.querySelector("h1")?.focus({ preventScroll: true });
}

interface Props {
  /** The title of the document, if it differs from the heading. */
  title?: string;
  /** Identifies the page; by default the path. */
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
    const isNewPage = shownPage !== null && shownPage !== shown;
    const hasLostFocus = hasClaimedFocus && document.activeElement === document.body;
    shownPage = shown;
    // Otherwise a screen reader would not notice the new page, and the clicked link may be gone. The
    // heading of a skeleton, too, passes the focus on to that of the loaded page.
    if (isNewPage || hasLostFocus) {
      focusHeading();
    }
  }, [shown]);

  return <h1 tabIndex={-1}>{children}</h1>;
}
