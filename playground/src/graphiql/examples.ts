/** The example operations, in the order of their tabs. */
import { Kind, parse, valueFromASTUntyped } from "graphql";
import acceptFollowRequest from "../../documents/accept-follow-request.graphql?raw";
import auditLog from "../../documents/audit-log.graphql?raw";
import block from "../../documents/block.graphql?raw";
import changePassword from "../../documents/change-password.graphql?raw";
import deleteAccount from "../../documents/delete-account.graphql?raw";
import deleteUser from "../../documents/delete-user.graphql?raw";
import follow from "../../documents/follow.graphql?raw";
import followEvents from "../../documents/follow-events.graphql?raw";
import followEventsLog from "../../documents/follow-events-log.graphql?raw";
import followRequests from "../../documents/follow-requests.graphql?raw";
import mute from "../../documents/mute.graphql?raw";
import nested from "../../documents/nested.graphql?raw";
import paging from "../../documents/paging.graphql?raw";
import profile from "../../documents/profile.graphql?raw";
import reinstateUser from "../../documents/reinstate-user.graphql?raw";
import rejectFollowRequest from "../../documents/reject-follow-request.graphql?raw";
import removeFollower from "../../documents/remove-follower.graphql?raw";
import setRole from "../../documents/set-role.graphql?raw";
import signIn from "../../documents/sign-in.graphql?raw";
import signOutEverywhere from "../../documents/sign-out-everywhere.graphql?raw";
import signUp from "../../documents/sign-up.graphql?raw";
import suspendUser from "../../documents/suspend-user.graphql?raw";
import unblock from "../../documents/unblock.graphql?raw";
import unfollow from "../../documents/unfollow.graphql?raw";
import unmute from "../../documents/unmute.graphql?raw";
import updatePrivacy from "../../documents/update-privacy.graphql?raw";
import updateProfile from "../../documents/update-profile.graphql?raw";
import upsertUsers from "../../documents/upsert-users.graphql?raw";

export interface Example {
  query: string;
  variables: string;
}

/** Each with the defaults of its variables filled in. */
export const EXAMPLES: Example[] = [
  profile,
  nested,
  paging,
  signIn,
  follow,
  unfollow,
  updatePrivacy,
  followRequests,
  acceptFollowRequest,
  rejectFollowRequest,
  removeFollower,
  block,
  unblock,
  mute,
  unmute,
  followEvents,
  followEventsLog,
  signUp,
  updateProfile,
  changePassword,
  signOutEverywhere,
  deleteAccount,
  upsertUsers,
  setRole,
  suspendUser,
  reinstateUser,
  deleteUser,
  auditLog,
].map((query) => ({ query: query.trimEnd(), variables: defaultVariables(query) }));

/** The default of every variable as JSON, or null. */
function defaultVariables(query: string): string {
  const defaults = parse(query)
    .definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .flatMap((operation) => operation.variableDefinitions ?? [])
    .map(({ variable, defaultValue }) => [
      variable.name.value,
      defaultValue ? valueFromASTUntyped(defaultValue) : null,
    ]);
  return JSON.stringify(Object.fromEntries(defaults), null, 2);
}
