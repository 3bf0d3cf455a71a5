/** Changes the viewer's name, bio and picture. */

import { useMutation } from "@apollo/client/react";
import { type FragmentType, getFragmentData, graphql } from "../generated";
import { say } from "../messages";
import { AccountForm, type Field, type FormError, formErrors } from "./AccountForm";

const ProfileForm_user = graphql(`
  fragment ProfileForm_user on User {
    name
    bio
    avatarUrl
  }
`);

const UpdateProfile = graphql(`
  mutation UpdateProfile($input: UpdateProfileInput!) {
    updateProfile(input: $input) {
      user {
        id
        ...ProfileForm_user
        ...Avatar_user
      }
      userErrors {
        field
        message
      }
    }
  }
`);

export function ProfileForm(props: { user: FragmentType<typeof ProfileForm_user> }) {
  const { name, bio, avatarUrl } = getFragmentData(ProfileForm_user, props.user);
  const [updateProfile] = useMutation(UpdateProfile);

  const fields: Field[] = [
    { name: "name", label: "Name", autoComplete: "name", value: name, optional: true },
    {
      name: "bio",
      label: "Bio",
      autoComplete: "off",
      type: "multiline",
      value: bio,
      optional: true,
      hint: "At most 500 characters.",
    },
    {
      name: "avatarUrl",
      label: "Picture",
      autoComplete: "photo",
      type: "url",
      // The server draws a picture for users without one of their own.
      value: avatarUrl.startsWith("/") ? null : avatarUrl,
      optional: true,
      hint: "The address of an image, for other apps. This one loads no images from elsewhere.",
    },
  ];

  async function submit({ name, bio, avatarUrl }: Record<string, string>): Promise<FormError[]> {
    const { data } = await updateProfile({
      variables: { input: { name: name || null, bio: bio || null, avatarUrl: avatarUrl || null } },
    });
    const errors = formErrors(data?.updateProfile?.userErrors);
    if (errors.length === 0) {
      say("Your profile is saved.");
    }
    return errors;
  }

  return <AccountForm fields={fields} action="Save profile" submit={submit} />;
}
