// SPDX-License-Identifier: Apache-2.0
// A question before something is changed. The browser's own modal dialog keeps the focus inside and closes on Escape.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface DialogProps {
  title: string;
  action: string;
  is_dangerous?: boolean;
  is_busy?: boolean;
  on_confirm: () => void;
  on_close: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, action, is_dangerous, is_busy, on_confirm, on_close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        if (!is_busy) on_close();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      <div class="dialog-body">{children}</div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={on_close} disabled={is_busy}>
          Cancel
        </button>
        <button
          type="button"
          class={`button ${is_dangerous ? "danger" : "primary"}`}
          onClick={on_confirm}
          disabled={is_busy}
        >
          {is_busy ? "One moment" : action}
        </button>
      </div>
    </dialog>
  );
}
