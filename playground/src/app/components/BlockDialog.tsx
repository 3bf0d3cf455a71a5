/** Asks before a block, since follows that it removes do not come back. */

import { type Ref, useId } from "react";

interface Props {
  ref: Ref<HTMLDialogElement>;
  /** Who would be blocked. */
  name: string;
  confirm: () => void;
}

export function BlockDialog({ ref, name, confirm }: Props) {
  const id = useId();
  return (
    <dialog ref={ref} className="card" aria-labelledby={`${id}-title`} aria-describedby={id}>
      {/* It closes by itself when the form is submitted. */}
      <form method="dialog">
        <h2 id={`${id}-title`}>Block {name}?</h2>
        <p id={id}>
          While signed in, they no longer find you. The follows and requests between you are
          removed, and unblocking does not bring them back.
        </p>
        <div className="buttons">
          <button type="submit" className="button danger" onClick={confirm}>
            Block
          </button>
          <button type="submit" className="quiet">
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
