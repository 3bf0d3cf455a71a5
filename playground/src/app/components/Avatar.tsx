/** A user's picture. It is next to the name, so it is hidden from screen readers. */

import { type FragmentType, getFragmentData, graphql } from "../generated";

const Avatar_user = graphql(`
  fragment Avatar_user on User {
    avatarUrl
    username
  }
`);

interface Props {
  user: FragmentType<typeof Avatar_user>;
  size?: "small" | "medium" | "large";
}

export function Avatar({ user, size = "medium" }: Props) {
  const { avatarUrl, username } = getFragmentData(Avatar_user, user);
  // The page's Content-Security-Policy forbids requests to other origins, so that no picture can
  // track its viewers. The server draws a picture for users who have set none; a user with a picture
  // elsewhere is shown with an initial instead.
  if (avatarUrl.startsWith("/")) {
    return <img className={`avatar ${size}`} src={avatarUrl} alt="" />;
  }
  return (
    <span className={`avatar ${size}`} aria-hidden="true">
      {username.charAt(0).toUpperCase()}
    </span>
  );
}
