/** Ends a block. */

import { useApolloClient } from "@apollo/client/react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { nameOf } from "../relations";
import { unblock } from "../safety";
import { ChangeButton } from "./ChangeButton";

const UnblockButton_user = graphql(`
  fragment UnblockButton_user on User {
    id
    username
    name
  }
`);

export function UnblockButton(props: { user: FragmentType<typeof UnblockButton_user> }) {
  const user = getFragmentData(UnblockButton_user, props.user);
  const client = useApolloClient();
  return (
    <ChangeButton
      label="Unblock"
      description={`Unblock ${nameOf(user)}`}
      className="follow-button button"
      change={() => unblock(client, user)}
    />
  );
}
