/** Sign-in on a server without passwords: with a token of its operator or identity provider. */

import { parseToken } from "../../session";
import { useBeginSession } from "../useBeginSession";
import { AccountForm, type Field } from "./AccountForm";

const FIELDS: Field[] = [
  {
    name: "token",
    label: "Bearer token",
    type: "password",
    autoComplete: "off",
    hint: "Kept in this browser tab until you sign out or close it.",
  },
];

export function TokenForm() {
  const beginSession = useBeginSession();
  return (
    <>
      <p>This server makes no accounts and knows no passwords. Sign in with a token for it.</p>
      <AccountForm
        fields={FIELDS}
        action="Use this token"
        submit={async (values) => {
          const token = parseToken(values.token ?? "");
          if (token === null) {
            return [{ field: "token", message: "This is not a bearer token." }];
          }
          beginSession(token);
          return [];
        }}
      />
    </>
  );
}
