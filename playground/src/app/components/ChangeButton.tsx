/** A button that sends a change at once, and may be gone after it. */

import { useTransition } from "react";
import { focusHeading } from "./Heading";

interface Props {
  /** The visible text. */
  label: string;
  /** What the button does, for screen readers: it begins with the visible text. */
  description: string;
  className?: string;
  change: () => Promise<void>;
}

export function ChangeButton({ label, description, className = "button", change }: Props) {
  const [isPending, startTransition] = useTransition();

  async function run(button: HTMLButtonElement) {
    await change();
    if (!button.isConnected) {
      // Such as with its row of a list. The focus is gone with it.
      focusHeading();
    }
  }

  return (
    <button
      type="button"
      className={className}
      aria-label={description}
      onClick={({ currentTarget }) => {
        // A disabled button would lose the focus, so a second click is ignored instead.
        if (!isPending) {
          startTransition(() => run(currentTarget));
        }
      }}
    >
      {label}
    </button>
  );
}
