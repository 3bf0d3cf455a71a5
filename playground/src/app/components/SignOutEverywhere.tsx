/** Ends all sessions of the viewer. */

import { useMutation } from "@apollo/client/react";
import { useTransition } from "react";
import { describeError } from "../errors";
import { graphql } from "../generated";
import { warn } from "../messages";
import { useEndSession } from "../useEndSession";

const EndSessions = graphql(`
  mutation SignOutEverywhere {
    signOutEverywhere {
      userErrors {
        message
      }
    }
  }
`);

export function SignOutEverywhere() {
  const [signOutEverywhere] = useMutation(EndSessions);
  const [isPending, startTransition] = useTransition();
  const endSession = useEndSession();

  async function handleClick() {
    try {
      const { data } = await signOutEverywhere();
      const [error] = data?.signOutEverywhere?.userErrors ?? [];
      if (error) {
        warn(error.message);
      } else {
        endSession("You are signed out everywhere.");
      }
    } catch (error) {
      warn(describeError(error));
    }
  }

  return (
    <button
      type="button"
      className="button"
      aria-busy={isPending}
      onClick={() => isPending || startTransition(handleClick)}
    >
      Sign out everywhere
    </button>
  );
}
