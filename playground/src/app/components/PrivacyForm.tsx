/** Changes the viewer's privacy settings, and says what becomes of the requests that wait. */

import { useApolloClient, useMutation } from "@apollo/client/react";
import { type SubmitEvent, useId, useState, useTransition } from "react";
import { describeError } from "../errors";
import { formatCount } from "../format";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import type { UpdatePrivacyInput, Visibility } from "../generated/graphql";
import { say } from "../messages";
import { refreshLists } from "../relations";
import { ChangeButton } from "./ChangeButton";

const PrivacyForm_viewer = graphql(`
  fragment PrivacyForm_viewer on Viewer {
    id
    privacy {
      isPrivate
      acceptsFollowed
      followers
      following
    }
    followRequests(first: 0) {
      totalCount
    }
    user {
      id
      isPrivate
      followerCount
    }
  }
`);

const UpdatePrivacy = graphql(`
  mutation UpdatePrivacy($input: UpdatePrivacyInput!) {
    updatePrivacy(input: $input) {
      acceptedRequests
      remainingRequests
      viewer {
        ...PrivacyForm_viewer
      }
    }
  }
`);

const VISIBILITIES: [Visibility | "", string][] = [
  ["", "As the account"],
  ["EVERYBODY", "Everybody"],
  ["FOLLOWERS", "Followers"],
  ["NOBODY", "Only you"],
];

export function PrivacyForm(props: { viewer: FragmentType<typeof PrivacyForm_viewer> }) {
  const { privacy, followRequests } = getFragmentData(PrivacyForm_viewer, props.viewer);
  const id = useId();
  const client = useApolloClient();
  const [updatePrivacy] = useMutation(UpdatePrivacy);
  const [isPending, startTransition] = useTransition();
  const [error, setError] = useState<string | null>(null);
  // How many requests all calls since the last change of the form have accepted.
  const [accepted, setAccepted] = useState(0);
  const remaining = privacy.isPrivate ? 0 : followRequests.totalCount;

  /** Sends the settings. Resolves to the number of accepted requests, or null on a failure. */
  async function send(input: UpdatePrivacyInput): Promise<number | null> {
    setError(null);
    try {
      const { data } = await updatePrivacy({ variables: { input } });
      const viewer = getFragmentData(PrivacyForm_viewer, data?.updatePrivacy?.viewer);
      if (viewer) {
        await refreshLists(client, [], viewer);
      }
      return data?.updatePrivacy?.acceptedRequests ?? 0;
    } catch (error) {
      setError(describeError(error));
      return null;
    }
  }

  function handleSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (isPending) {
      return;
    }
    startTransition(async () => {
      const count = await send({
        isPrivate: form.has("isPrivate"),
        acceptsFollowed: form.has("acceptsFollowed"),
        followers: visibility(form.get("followers")),
        following: visibility(form.get("following")),
      });
      if (count !== null) {
        setAccepted(count);
        say("Your privacy settings are saved.");
      }
    });
  }

  /** Accepts the requests that are left, as many as one call can. */
  async function goOn() {
    const count = await send({ isPrivate: false });
    setAccepted((before) => before + (count ?? 0));
  }

  return (
    <form className="account-form" onSubmit={handleSubmit} aria-busy={isPending}>
      <Checkbox
        id={`${id}private`}
        name="isPrivate"
        label="Private account"
        hint="Others ask before they follow you. Going public accepts all waiting requests."
        isChecked={privacy.isPrivate}
      />
      <Checkbox
        id={`${id}accepts`}
        name="acceptsFollowed"
        label="Accept those whom you follow at once"
        hint="While the account is private, users whom you follow need not wait for your answer."
        isChecked={privacy.acceptsFollowed}
      />
      <Select
        id={`${id}followers`}
        name="followers"
        label="Who sees your followers"
        value={privacy.followers}
      />
      <Select
        id={`${id}following`}
        name="following"
        label="Who sees whom you follow"
        value={privacy.following}
      />
      <p className="hint">
        “As the account” is everybody while the account is public, and your followers while it is
        private. You and moderators always see your lists, and everybody sees the numbers.
      </p>
      <div aria-live="assertive">{error && <p className="form-error">{error}</p>}</div>
      <div className="result" role="status">
        {accepted > 0 && <p>{requests(accepted, "was accepted.", "were accepted.")}</p>}
        {remaining > 0 && <p>{requests(remaining, "still waits.", "still wait.")}</p>}
      </div>
      {remaining > 0 && (
        <ChangeButton
          label="Accept the next requests"
          description="Accept the next requests"
          change={goOn}
        />
      )}
      <button type="submit" className="button primary">
        Save privacy
      </button>
    </form>
  );
}

/** "1 request still waits.", "2,000 requests still wait." */
function requests(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? `request ${one}` : `requests ${many}`}`;
}

/** The chosen setting; null is that of the account. */
function visibility(value: FormDataEntryValue | null): Visibility | null {
  return VISIBILITIES.map(([setting]) => setting).find((setting) => setting === value) || null;
}

interface CheckboxProps {
  id: string;
  name: string;
  label: string;
  hint: string;
  isChecked: boolean;
}

function Checkbox({ id, name, label, hint, isChecked }: CheckboxProps) {
  return (
    <div className="checkbox">
      <input
        id={id}
        name={name}
        type="checkbox"
        defaultChecked={isChecked}
        aria-describedby={`${id}-hint`}
      />
      <label htmlFor={id}>{label}</label>
      <p id={`${id}-hint`} className="hint">
        {hint}
      </p>
    </div>
  );
}

interface SelectProps {
  id: string;
  name: string;
  label: string;
  value: Visibility | null | undefined;
}

function Select({ id, name, label, value }: SelectProps) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} name={name} defaultValue={value ?? ""}>
        {VISIBILITIES.map(([setting, text]) => (
          <option key={setting} value={setting}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
