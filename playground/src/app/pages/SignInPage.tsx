/** Sign-in with a username and a password. */

import { useMutation, useQuery } from "@apollo/client/react";
import { Link, useSearchParams } from "wouter";
import { AccountForm, type Field, type FormError, formErrors } from "../components/AccountForm";
import { AccountPage } from "../components/AccountPage";
import { graphql } from "../generated";
import { returnPath, signUpPath } from "../links";
import { useBeginSession } from "../useBeginSession";

const SignInPage_query = graphql(`
  query SignInPage {
    ...Offered_query
    ...Header_query
  }
`);

const SignIn = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
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
  { name: "username", label: "Username", autoComplete: "username" },
  { name: "password", label: "Password", type: "password", autoComplete: "current-password" },
];

export function SignInPage() {
  const [search] = useSearchParams();
  const { data, error, refetch } = useQuery(SignInPage_query);
  // Do not cache a token.
  const [signIn] = useMutation(SignIn, { fetchPolicy: "no-cache" });
  const beginSession = useBeginSession();

  async function submit({
    username = "",
    password = "",
  }: Record<string, string>): Promise<FormError[]> {
    const { data } = await signIn({ variables: { input: { username, password } } });
    const payload = data?.signIn;
    if (payload?.token) {
      beginSession(payload.token, payload.viewer?.user.username);
      return [];
    }
    return formErrors(payload?.userErrors);
  }

  return (
    <AccountPage title="Sign in" mutation="signIn" query={data} error={error} retry={refetch}>
      <AccountForm fields={FIELDS} action="Sign in" submit={submit} />
      <p>
        New here? <Link href={signUpPath(returnPath(search))}>Sign up</Link>
      </p>
    </AccountPage>
  );
}
