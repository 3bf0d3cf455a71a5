/** A form that shows the server's errors next to the fields and keeps the input. */

import { type SubmitEvent, useId, useState } from "react";
import { flushSync } from "react-dom";
import { argumentName, describeError } from "../errors";

export interface Field {
  name: string;
  label: string;
  autoComplete: string;
  type?: "text" | "password" | "url" | "multiline";
  /** The initial input. */
  value?: string | null | undefined;
  hint?: string;
  optional?: boolean;
}

/** An error; without a field, it concerns the whole form. */
export interface FormError {
  field?: string | undefined;
  message: string;
}

/** The errors of a payload, each at the field that its path ends with. */
export function formErrors(
  userErrors: { field?: string[] | null; message: string }[] | undefined,
): FormError[] {
  return (userErrors ?? []).map(({ field, message }) => ({ field: field?.at(-1), message }));
}

interface Props {
  fields: Field[];
  action: string;
  /** Whose password the form asks for, for password managers. */
  username?: string;
  /** Whether the form destroys something. */
  isDanger?: boolean;
  /** Submits the form and resolves to its errors, none on success. */
  submit: (values: Record<string, string>) => Promise<FormError[]>;
}

export function AccountForm({ fields, action, username, isDanger = false, submit }: Props) {
  const id = useId();
  const [errors, setErrors] = useState<FormError[]>([]);
  const [isPending, setPending] = useState(false);

  async function handleSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (isPending) {
      return;
    }
    const form = event.currentTarget;
    const values = Object.fromEntries(
      fields.map(({ name }) => [name, String(new FormData(form).get(name) ?? "")]),
    );
    setPending(true);
    const found = await submit(values).catch((error: unknown): FormError[] => [
      { field: argumentName(error), message: describeError(error) },
    ]);
    // The messages must be rendered before the focus makes a screen reader read them.
    flushSync(() => {
      setPending(false);
      setErrors(found);
    });
    form.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }

  const ofForm = errors.filter(({ field }) => !fields.some(({ name }) => name === field));
  return (
    // The browser would report one field at a time; the server reports all of them.
    <form className="account-form" onSubmit={handleSubmit} aria-busy={isPending} noValidate>
      {username && <input hidden readOnly autoComplete="username" value={username} />}
      {fields.map((field) => (
        <Input
          key={field.name}
          id={`${id}${field.name}`}
          field={field}
          errors={errors.filter((error) => error.field === field.name)}
        />
      ))}
      <div aria-live="assertive">
        {ofForm.map(({ message }) => (
          <p key={message} className="form-error">
            {message}
          </p>
        ))}
      </div>
      <button type="submit" className={isDanger ? "button danger" : "button primary"}>
        {action}
      </button>
    </form>
  );
}

function Input({ id, field, errors }: { id: string; field: Field; errors: FormError[] }) {
  const { name, label, type = "text", autoComplete, value, hint, optional = false } = field;
  const notes = [
    ...(hint ? [{ id: `${id}-hint`, className: "hint", text: hint }] : []),
    ...errors.map(({ message }, index) => ({
      id: `${id}-error-${index}`,
      className: "field-error",
      text: message,
    })),
  ];
  const attributes = {
    id,
    name,
    autoComplete,
    spellCheck: type === "multiline",
    required: !optional,
    defaultValue: value ?? "",
    "aria-invalid": errors.length > 0,
    "aria-describedby": notes.map((note) => note.id).join(" ") || undefined,
  };

  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {optional && <span className="hint">(optional)</span>}
      </label>
      {type === "multiline" ? (
        <textarea {...attributes} rows={4} />
      ) : (
        <input {...attributes} type={type} autoCapitalize="none" />
      )}
      {notes.map((note) => (
        <p key={note.id} id={note.id} className={note.className}>
          {note.text}
        </p>
      ))}
    </div>
  );
}
