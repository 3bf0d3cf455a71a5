/** Ends a mute. */

import { useApolloClient } from "@apollo/client/react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { nameOf } from "../relations";
import { unmute } from "../safety";
import { ChangeButton } from "./ChangeButton";

const UnmuteButton_user = graphql(`
  fragment UnmuteButton_user on User {
    id
    username
    name
  }
`);

export function UnmuteButton(props: { user: FragmentType<typeof UnmuteButton_user> }) {
  const user = getFragmentData(UnmuteButton_user, props.user);
  const client = useApolloClient();
  return (
    <ChangeButton
      label="Unmute"
      description={`Unmute ${nameOf(user)}`}
      change={() => unmute(client, user)}
    />
  );
}
