/** The viewer's own account: profile, privacy, password, sessions, deletion. */

import { useQuery } from "@apollo/client/react";
import { Link } from "wouter";
import { DeleteAccount } from "../components/DeleteAccount";
import { Heading } from "../components/Heading";
import { PasswordForm } from "../components/PasswordForm";
import { PrivacyForm } from "../components/PrivacyForm";
import { Problem } from "../components/Problem";
import { ProfileForm } from "../components/ProfileForm";
import { SignOutEverywhere } from "../components/SignOutEverywhere";
import { formatCount } from "../format";
import { graphql } from "../generated";
import {
  BLOCKED_PATH,
  MUTED_PATH,
  profilePath,
  REQUESTS_PATH,
  SETTINGS_PATH,
  signInPath,
} from "../links";
import { isOffered } from "../offered";

const SettingsPage_query = graphql(`
  query SettingsPage {
    viewer {
      id
      ...PrivacyForm_viewer
      blockedUsers(first: 0) {
        totalCount
      }
      mutedUsers(first: 0) {
        totalCount
      }
      user {
        id
        username
        ...ProfileForm_user
      }
    }
    ...Offered_query
    ...Header_query
  }
`);

export function SettingsPage() {
  // A refetch must not replace what the user is typing.
  const { data, error, refetch } = useQuery(SettingsPage_query, { fetchPolicy: "network-only" });

  if (error) {
    return <Problem error={error} retry={refetch} />;
  }
  if (data?.viewer === null) {
    return (
      <section className="notice">
        <Heading>Your account</Heading>
        <p>Sign in to change your profile and your password.</p>
        <Link href={signInPath(SETTINGS_PATH)} className="button">
          Sign in
        </Link>
      </section>
    );
  }
  const hasPasswords = data && isOffered(data, "changePassword");
  return (
    <div className="settings" aria-busy={!data}>
      <Heading>Your account</Heading>
      {data?.viewer && (
        <>
          <section className="card" aria-labelledby="profile">
            <h2 id="profile">Profile</h2>
            <ProfileForm user={data.viewer.user} />
            <Link href={profilePath(data.viewer.user.username)}>See your profile</Link>
          </section>
          <section className="card" aria-labelledby="privacy">
            <h2 id="privacy">Privacy</h2>
            <PrivacyForm viewer={data.viewer} />
            <ul className="links">
              <li>
                <Link href={REQUESTS_PATH}>Follow requests</Link>
              </li>
              <li>
                <Link href={BLOCKED_PATH}>Blocked users</Link>{" "}
                {formatCount(data.viewer.blockedUsers.totalCount)}
              </li>
              <li>
                <Link href={MUTED_PATH}>Muted users</Link>{" "}
                {formatCount(data.viewer.mutedUsers.totalCount)}
              </li>
            </ul>
          </section>
          {hasPasswords && (
            <section className="card" aria-labelledby="password">
              <h2 id="password">Password</h2>
              <PasswordForm username={data.viewer.user.username} />
            </section>
          )}
          <section className="card" aria-labelledby="sessions">
            <h2 id="sessions">Sessions</h2>
            <p>Lost a device, or forgot to sign out somewhere? End all sessions, this one too.</p>
            <SignOutEverywhere />
          </section>
          <section className="card" aria-labelledby="deletion">
            <h2 id="deletion">Delete account</h2>
            <p>This removes your account and all follows from and to it. It cannot be undone.</p>
            <DeleteAccount
              username={data.viewer.user.username}
              hasPassword={hasPasswords === true}
            />
          </section>
        </>
      )}
    </div>
  );
}
