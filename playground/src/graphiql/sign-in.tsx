/** Two ways to sign in: a password, if the server has accounts, or a pasted token. */
import { type FormEvent, useState } from "react";
import { parseToken, setToken } from "../session";
import { ask, type Client } from "./client";
import { SignInDocument } from "./generated/graphql";

interface SignInProps {
  client: Client;
  hasPasswords: boolean;
  onFailure: (message: string) => void;
  onSuccess: () => void;
}

export function SignIn({ hasPasswords, ...props }: SignInProps) {
  const [isPasting, setIsPasting] = useState(false);

  if (!hasPasswords) {
    return <TokenForm {...props} />;
  }
  return (
    <>
      <button type="button" className="quiet" onClick={() => setIsPasting(!isPasting)}>
        {isPasting ? "Use a password" : "Paste a token"}
      </button>
      {isPasting ? <TokenForm {...props} /> : <PasswordForm {...props} />}
    </>
  );
}

type FormProps = Omit<SignInProps, "hasPasswords">;

function PasswordForm({ client, onFailure, onSuccess }: FormProps) {
  const [isSending, setIsSending] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    // A disabled button would lose the focus, so a second click is ignored instead.
    if (isSending) {
      return;
    }
    const fields = new FormData(event.currentTarget);
    setIsSending(true);
    try {
      const { data, errors } = await ask(client, SignInDocument, {
        username: String(fields.get("username")),
        password: String(fields.get("password")),
      });
      const payload = data?.signIn;
      if (payload?.token) {
        setToken(payload.token);
        onSuccess();
      } else {
        const [failure] = [...(payload?.userErrors ?? []), ...(errors ?? [])];
        onFailure(failure?.message ?? "The server gave no token.");
      }
    } catch (error) {
      onFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setIsSending(false);
    }
  }

  return (
    <form onSubmit={submit} aria-busy={isSending}>
      <label>
        Username
        <input name="username" autoComplete="username" autoCapitalize="none" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
    </form>
  );
}

function TokenForm({ onFailure, onSuccess }: FormProps) {
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = parseToken(String(new FormData(event.currentTarget).get("token")));
    if (token === null) {
      onFailure("This is not a bearer token.");
    } else {
      setToken(token);
      onSuccess();
    }
  }

  return (
    <form onSubmit={submit}>
      <label>
        Token
        <input name="token" autoComplete="off" spellCheck={false} required />
      </label>
      <button type="submit">Use token</button>
    </form>
  );
}
