/** Deletes the viewer's account, after a confirmation. */

import { useMutation } from "@apollo/client/react";
import { useRef } from "react";
import { graphql } from "../generated";
import { useEndSession } from "../useEndSession";
import { AccountForm, type Field, type FormError, formErrors } from "./AccountForm";

const Delete = graphql(`
  mutation DeleteAccount($input: DeleteAccountInput!) {
    deleteAccount(input: $input) {
      deletedUserId
      userErrors {
        field
        message
      }
    }
  }
`);

interface Props {
  username: string;
  /** Whether the account must have one: on a server without `changePassword` it may not. */
  hasPassword: boolean;
}

export function DeleteAccount({ username, hasPassword }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [deleteAccount] = useMutation(Delete, { fetchPolicy: "no-cache" });
  const endSession = useEndSession();

  const fields: Field[] = [
    {
      name: "password",
      label: "Password",
      type: "password",
      autoComplete: "current-password",
      optional: !hasPassword,
    },
  ];

  async function submit({ password }: Record<string, string>): Promise<FormError[]> {
    const { data } = await deleteAccount({ variables: { input: { password: password || null } } });
    if (!data?.deleteAccount?.deletedUserId) {
      return formErrors(data?.deleteAccount?.userErrors);
    }
    endSession("Your account is deleted.");
    return [];
  }

  return (
    <>
      <button type="button" className="button danger" onClick={() => dialog.current?.showModal()}>
        Delete account…
      </button>
      <dialog ref={dialog} className="card" aria-labelledby="confirmation">
        <h2 id="confirmation">Delete your account for good?</h2>
        <AccountForm
          fields={fields}
          action="Delete account"
          username={username}
          isDanger
          submit={submit}
        />
        <button type="button" className="quiet" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </dialog>
    </>
  );
}
