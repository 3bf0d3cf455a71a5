/** Changes the viewer's password. */

import { useMutation } from "@apollo/client/react";
import { setToken } from "../../session";
import { graphql } from "../generated";
import { say } from "../messages";
import { AccountForm, type Field, type FormError, formErrors } from "./AccountForm";
import { focusHeading } from "./Heading";

const ChangePassword = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      token
      userErrors {
        field
        message
      }
    }
  }
`);

const FIELDS: Field[] = [
  {
    name: "currentPassword",
    label: "Current password",
    type: "password",
    autoComplete: "current-password",
  },
  {
    name: "newPassword",
    label: "New password",
    type: "password",
    autoComplete: "new-password",
    hint: "At least 8 characters. Your sessions on other devices end.",
  },
];

export function PasswordForm({ username }: { username: string }) {
  // Do not cache a token.
  const [changePassword] = useMutation(ChangePassword, { fetchPolicy: "no-cache" });

  async function submit({
    currentPassword = "",
    newPassword = "",
  }: Record<string, string>): Promise<FormError[]> {
    const { data } = await changePassword({
      variables: { input: { currentPassword, newPassword } },
    });
    const token = data?.changePassword?.token;
    if (!token) {
      return formErrors(data?.changePassword?.userErrors);
    }
    // The page is loaded again with the new token, so this form is replaced.
    focusHeading();
    setToken(token);
    say("Your password is changed.");
    return [];
  }

  return (
    <AccountForm fields={FIELDS} action="Change password" username={username} submit={submit} />
  );
}
