// SPDX-License-Identifier: Apache-2.0
// Red, with the cause and what it means for the house, while safety holds the relays; amber at the minimum charge.
import { cause_title, safe_state_text } from "../../lib/pack_words";
import { state } from "../../state/store";
import { AlertIcon } from "./icons";

export function SafetyBanner() {
  const { modes } = state.value;
  const causes = modes?.safety ?? [];
  if (causes.length === 0) {
    if (modes?.minimum_soc_reached !== true) return null;
    return (
      <p class="safety-banner" data-tone="warn">
        <AlertIcon />
        <span>
          <strong>Battery at its minimum.</strong> The grid carries the house until the battery has recovered.
        </span>
      </p>
    );
  }
  return (
    <div class="safety-banner" data-tone="bad">
      <AlertIcon />
      <div>
        <p>
          <strong>Safe state: {causes.map((entry) => cause_title(entry.cause)).join(", ")}.</strong>{" "}
          {causes.map((entry) => entry.text).join(" ")}
        </p>
        <p class="safety-effect">{safe_state_text(modes)}</p>
      </div>
    </div>
  );
}
