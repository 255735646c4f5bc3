// SPDX-License-Identifier: Apache-2.0
// Sign-in, and the first-run set-up where the owner's account is made. Errors stand at the field they are about.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, set_up, sign_in } from "../api/client";
import type { Session } from "../api/types";
import { go_to } from "../lib/router";
import { session } from "../state/store";
import { Note } from "./parts/card";
import { Mark } from "./parts/icons";

// The box refuses shorter ones; told here before anything is sent.
const kPasswordMin = 8;

interface FieldProps {
  id: string;
  label: string;
  type: "text" | "password";
  autocomplete: "username" | "current-password" | "new-password";
  help?: string;
  error?: string | undefined;
  value: string;
  on_input: (value: string) => void;
}

function Field({ id, label, type, autocomplete, help, error, value, on_input }: FieldProps) {
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  const common = {
    id,
    name: id,
    autocomplete,
    autocapitalize: "none",
    spellcheck: false,
    required: true,
    value,
    "aria-invalid": error !== undefined,
    "aria-describedby": described || undefined,
    onInput: (event: { currentTarget: HTMLInputElement }) => on_input(event.currentTarget.value),
  } as const;
  return (
    <div class="form-field">
      <label for={id}>{label}</label>
      {type === "password" ? <input {...common} type="password" /> : <input {...common} type="text" />}
      {help && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error && (
        <p class="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

interface Failure {
  field?: string;
  message: string;
}

function to_failure(error: unknown): Failure {
  if (!(error instanceof ApiError)) return { message: "Something unexpected happened in this page." };
  const field = error.problem.field;
  return field === undefined ? { message: error.message } : { field, message: error.message };
}

interface FrameProps {
  title: string;
  intro: string;
  action: string;
  is_new: boolean;
  can_go_back?: boolean;
  submit: (user: string, password: string) => Promise<Session>;
}

function CredentialForm({ title, intro, action, is_new, can_go_back, submit }: FrameProps) {
  const user = useSignal(is_new ? "admin" : "");
  const password = useSignal("");
  const again = useSignal("");
  const failure = useSignal<Failure | undefined>(undefined);
  const is_busy = useSignal(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const error_of = (field: string) => (failure.value?.field === field ? failure.value.message : undefined);
  const is_general = failure.value !== undefined && !["user", "password", "again"].includes(failure.value.field ?? "");

  async function handle_submit(event: Event): Promise<void> {
    event.preventDefault();
    failure.value = undefined;
    if (is_new && password.value.length < kPasswordMin) {
      failure.value = { field: "password", message: `The password has fewer than ${kPasswordMin} characters.` };
      return;
    }
    if (is_new && password.value !== again.value) {
      failure.value = { field: "again", message: "The two passwords differ." };
      return;
    }
    is_busy.value = true;
    try {
      session.value = await submit(user.value, password.value);
      go_to("/");
    } catch (error) {
      failure.value = to_failure(error);
    } finally {
      is_busy.value = false;
    }
  }

  return (
    <main class="sign-in">
      <form class="card sign-in-card" onSubmit={(event) => void handle_submit(event)} noValidate>
        <Mark />
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        <p class="intro">{intro}</p>
        <div role="alert">{is_general && <Note tone="bad">{failure.value?.message}</Note>}</div>
        <Field
          id="user"
          label="User"
          type="text"
          autocomplete="username"
          value={user.value}
          error={error_of("user")}
          on_input={(v) => {
            user.value = v;
          }}
        />
        <Field
          id="password"
          label="Password"
          type="password"
          autocomplete={is_new ? "new-password" : "current-password"}
          value={password.value}
          error={error_of("password")}
          on_input={(v) => {
            password.value = v;
          }}
          {...(is_new ? { help: `At least ${kPasswordMin} characters; a short sentence is good.` } : {})}
        />
        {is_new && (
          <Field
            id="again"
            label="Password again"
            type="password"
            autocomplete="new-password"
            value={again.value}
            error={error_of("again")}
            on_input={(v) => {
              again.value = v;
            }}
          />
        )}
        <button type="submit" class="button primary wide" disabled={is_busy.value}>
          {is_busy.value ? "One moment" : action}
        </button>
        {can_go_back && (
          <a class="back" href="#/">
            Look without signing in
          </a>
        )}
      </form>
    </main>
  );
}

export function SignIn({ can_go_back }: { can_go_back: boolean }) {
  return (
    <CredentialForm
      title="Sign in"
      intro="This box asks who you are before it shows or changes anything."
      action="Sign in"
      is_new={false}
      can_go_back={can_go_back}
      submit={sign_in}
    />
  );
}

export function SetUp() {
  return (
    <CredentialForm
      title="Welcome to Amphora"
      intro="Choose the owner's name and password. They protect everything that changes the battery or this box."
      action="Create the account"
      is_new={true}
      submit={set_up}
    />
  );
}
