/** Accepts or rejects the request of a user to follow the viewer. */

import { useApolloClient } from "@apollo/client/react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { nameOf } from "../relations";
import { acceptRequest, rejectRequest } from "../safety";
import { ChangeButton } from "./ChangeButton";

const AnswerButtons_user = graphql(`
  fragment AnswerButtons_user on User {
    id
    username
    name
  }
`);

export function AnswerButtons(props: { user: FragmentType<typeof AnswerButtons_user> }) {
  const user = getFragmentData(AnswerButtons_user, props.user);
  const client = useApolloClient();
  return (
    <span className="buttons">
      <ChangeButton
        label="Accept"
        description={`Accept the request of ${nameOf(user)}`}
        className="button primary"
        change={() => acceptRequest(client, user)}
      />
      <ChangeButton
        label="Reject"
        description={`Reject the request of ${nameOf(user)}`}
        change={() => rejectRequest(client, user)}
      />
    </span>
  );
}
