/** Creates an account and signs in to it. */

import { useMutation, useQuery } from "@apollo/client/react";
import { Link, useSearchParams } from "wouter";
import { AccountForm, type Field, type FormError, formErrors } from "../components/AccountForm";
import { AccountPage } from "../components/AccountPage";
import { graphql } from "../generated";
import { returnPath, signInPath } from "../links";
import { useBeginSession } from "../useBeginSession";

const SignUpPage_query = graphql(`
  query SignUpPage {
    ...Offered_query
    ...Header_query
  }
`);

const SignUp = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) {
      token
      viewer {
        id
        user {
          id
          username
        }
      }
      userErrors {
        field
        message
      }
    }
  }
`);

const FIELDS: Field[] = [
  {
    name: "username",
    label: "Username",
    autoComplete: "username",
    hint: "1 to 64 letters without accents, digits, underscores, dots and hyphens.",
  },
  { name: "name", label: "Name", autoComplete: "name", optional: true },
  {
    name: "password",
    label: "Password",
    type: "password",
    autoComplete: "new-password",
    hint: "At least 8 characters.",
  },
];

export function SignUpPage() {
  const [search] = useSearchParams();
  const { data, error, refetch } = useQuery(SignUpPage_query);
  // Do not cache a token.
  const [signUp] = useMutation(SignUp, { fetchPolicy: "no-cache" });
  const beginSession = useBeginSession();

  async function submit({
    username = "",
    name,
    password = "",
  }: Record<string, string>): Promise<FormError[]> {
    const { data } = await signUp({
      variables: { input: { username, name: name || null, password } },
    });
    const payload = data?.signUp;
    if (payload?.token) {
      beginSession(payload.token, payload.viewer?.user.username);
      return [];
    }
    return formErrors(payload?.userErrors);
  }

  return (
    <AccountPage title="Sign up" mutation="signUp" query={data} error={error} retry={refetch}>
      <AccountForm fields={FIELDS} action="Sign up" submit={submit} />
      <p>
        Have an account? <Link href={signInPath(returnPath(search))}>Sign in</Link>
      </p>
    </AccountPage>
  );
}
