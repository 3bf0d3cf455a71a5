/** A short label for the relation of a user to the viewer, if there is one. */

import { type FragmentType, getFragmentData, graphql } from "../generated";

const RelationLabel_user = graphql(`
  fragment RelationLabel_user on User {
    isViewer
    isFollowingViewer
    hasRequestedViewer
  }
`);

export function RelationLabel({ user }: { user: FragmentType<typeof RelationLabel_user> }) {
  const { isViewer, isFollowingViewer, hasRequestedViewer } = getFragmentData(
    RelationLabel_user,
    user,
  );
  if (isViewer) {
    return <span className="label">That’s you</span>;
  }
  if (isFollowingViewer) {
    return <span className="label">Follows you</span>;
  }
  return hasRequestedViewer ? <span className="label">Asks to follow you</span> : null;
}
