/** What else the viewer can do about a user: mute, remove from the followers, block. */

import { useApolloClient } from "@apollo/client/react";
import { type KeyboardEvent, type ToggleEvent, useId, useRef, useState } from "react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { nameOf } from "../relations";
import { block, mute, removeFollower, unblock, unmute } from "../safety";
import { BlockDialog } from "./BlockDialog";
import { focusHeading } from "./Heading";

const UserMenu_user = graphql(`
  fragment UserMenu_user on User {
    id
    username
    name
    isViewer
    isFollowingViewer
    viewerCannotFollowReasons
    viewerIsBlocking
    viewerIsMuting
  }
`);

interface Item {
  label: string;
  choose: () => void;
}

export function UserMenu(props: { user: FragmentType<typeof UserMenu_user> }) {
  const user = getFragmentData(UserMenu_user, props.user);
  const client = useApolloClient();
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);

  if (user.isViewer || user.viewerCannotFollowReasons.includes("UNAUTHENTICATED")) {
    return null;
  }

  async function run(change: Promise<void>) {
    await change;
    if (!button.current?.isConnected) {
      // The row is gone from the list, and the focus with it.
      focusHeading();
    }
  }

  const items: Item[] = [
    ...(user.viewerIsMuting
      ? [{ label: "Unmute", choose: () => run(unmute(client, user)) }]
      : [
          { label: "Mute for a day", choose: () => run(mute(client, user, 1)) },
          { label: "Mute for a week", choose: () => run(mute(client, user, 7)) },
          { label: "Mute until I end it", choose: () => run(mute(client, user, null)) },
        ]),
    ...(user.isFollowingViewer
      ? [{ label: "Remove follower", choose: () => run(removeFollower(client, user)) }]
      : []),
    user.viewerIsBlocking
      ? { label: "Unblock", choose: () => run(unblock(client, user)) }
      : { label: "Block…", choose: () => dialog.current?.showModal() },
  ];

  /** Puts the menu below its button, before it is visible. */
  function place({ newState, currentTarget }: ToggleEvent<HTMLDivElement>) {
    const rectangle = button.current?.getBoundingClientRect();
    if (newState === "open" && rectangle) {
      const { clientWidth } = document.documentElement;
      currentTarget.style.top = `${rectangle.bottom + window.scrollY}px`;
      currentTarget.style.right = `${clientWidth - rectangle.right}px`;
    }
  }

  function handleToggle({ newState }: ToggleEvent<HTMLDivElement>) {
    setOpen(newState === "open");
    if (newState === "open") {
      focusItem(0);
    }
  }

  function focusItem(index: number) {
    const all = menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]");
    all?.[(index + all.length) % all.length]?.focus();
  }

  function handleKey(event: KeyboardEvent<HTMLDivElement>) {
    const all: (Element | null)[] = [...event.currentTarget.children];
    const index = all.indexOf(document.activeElement);
    const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      focusItem(target);
    } else if (event.key === "Tab") {
      // The browser moves the focus on from the button.
      close();
    }
  }

  function close() {
    menu.current?.hidePopover();
    button.current?.focus();
  }

  return (
    <>
      <button
        type="button"
        ref={button}
        className="quiet menu-button"
        aria-label={`More about ${nameOf(user)}`}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        popoverTarget={id}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            menu.current?.showPopover();
          }
        }}
      >
        <span aria-hidden="true">⋯</span>
      </button>
      {/* The browser closes a popover on Escape and on a click elsewhere. */}
      <div
        id={id}
        ref={menu}
        className="menu"
        role="menu"
        aria-label={`More about ${nameOf(user)}`}
        popover="auto"
        tabIndex={-1}
        onBeforeToggle={place}
        onToggle={handleToggle}
        onKeyDown={handleKey}
      >
        {items.map(({ label, choose }) => (
          <button
            key={label}
            type="button"
            role="menuitem"
            tabIndex={-1}
            onClick={() => {
              close();
              choose();
            }}
          >
            {label}
          </button>
        ))}
      </div>
      <BlockDialog ref={dialog} name={nameOf(user)} confirm={() => run(block(client, user))} />
    </>
  );
}
