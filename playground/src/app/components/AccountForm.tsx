/** A form that shows the server's errors next to the fields and keeps the input. */

import { type SubmitEvent, useId, useState } from "react";
import { flushSync } from "react-dom";
import { argumentName, describeError } from "../errors";

export interface Field {
  name: string;
  label: string;
  autoComplete: string;
  type?: "text" | "password";
  hint?: string;
  optional?: boolean;
}

/** An error; without a field, it concerns the whole form. */
export interface FormError {
  field?: string | undefined;
  message: string;
}

interface Props {
  fields: Field[];
  action: string;
  /** Submits the form and resolves to its errors, none on success. */
  submit: (values: Record<string, string>) => Promise<FormError[]>;
}

export function AccountForm({ fields, action, submit }: Props) {
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
    form.querySelector<HTMLInputElement>("[aria-invalid=true]")?.focus();
  }

  const ofForm = errors.filter(({ field }) => !fields.some(({ name }) => name === field));
  return (
    <form className="account-form" onSubmit={handleSubmit} aria-busy={isPending}>
      {fields.map((field) => (
        <Input
          key={field.name}
          id={`${id}${field.name}`}
          field={field}
          error={errors.find((error) => error.field === field.name)?.message}
        />
      ))}
      <div aria-live="assertive">
        {ofForm.map(({ message }) => (
          <p key={message} className="form-error">
            {message}
          </p>
        ))}
      </div>
      <button type="submit" className="button primary">
        {action}
      </button>
    </form>
  );
}

function Input({ id, field, error }: { id: string; field: Field; error: string | undefined }) {
  const { name, label, type = "text", autoComplete, hint, optional = false } = field;
  const notes = [
    { id: `${id}-hint`, className: "hint", text: hint },
    { id: `${id}-error`, className: "field-error", text: error },
  ].filter(({ text }) => text !== undefined);

  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {optional && <span className="hint">(optional)</span>}
      </label>
      <input
        id={id}
        name={name}
        type={type}
        autoComplete={autoComplete}
        autoCapitalize="none"
        spellCheck="false"
        required={!optional}
        aria-invalid={error !== undefined}
        aria-describedby={notes.map((note) => note.id).join(" ") || undefined}
      />
      {notes.map((note) => (
        <p key={note.id} id={note.id} className={note.className}>
          {note.text}
        </p>
      ))}
    </div>
  );
}
