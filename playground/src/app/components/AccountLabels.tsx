/** Labels for an account that is private or suspended, or that the viewer blocks or has muted. */

import { formatMoment } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";

const AccountLabels_user = graphql(`
  fragment AccountLabels_user on User {
    isPrivate
    isSuspended
    viewerIsBlocking
    viewerIsMuting
    viewerMutedUntil
  }
`);

export function AccountLabels(props: { user: FragmentType<typeof AccountLabels_user> }) {
  const user = getFragmentData(AccountLabels_user, props.user);
  return (
    <>
      {user.isPrivate && (
        <span className="label">
          <Lock /> Private account
        </span>
      )}
      {user.isSuspended && <span className="label">Suspended</span>}
      {user.viewerIsBlocking && <span className="label">Blocked</span>}
      {user.viewerIsMuting && (
        <span className="label">
          Muted{user.viewerMutedUntil && ` until ${formatMoment(user.viewerMutedUntil)}`}
        </span>
      )}
    </>
  );
}

function Lock() {
  return (
    <svg className="lock" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M5 7V5a3 3 0 0 1 6 0v2" fill="none" stroke="currentColor" strokeWidth="2" />
      <rect x="2.5" y="7" width="11" height="8" rx="1.5" fill="currentColor" />
    </svg>
  );
}
