// SPDX-License-Identifier: Apache-2.0
// The limits in force: how much, why, and who set them. A row opens to all the reasons that bound it.
import type { LimitName, LimitReason, Limits } from "../../api/types";
import { format_number, with_unit } from "../../lib/format";
import { describe_by, describe_reason, kLimitMeaning, kLimitTitle, kLimitUnit } from "../../lib/words";
import { group_age_ms, is_group_stale, state } from "../../state/store";
import { Card, Pill, Value } from "./card";

const kOrder: LimitName[] = ["ccl", "dcl", "cvl", "dvl"];

function value_of(limits: Limits, name: LimitName): number | undefined {
  return { cvl: limits.cvl_v, ccl: limits.ccl_a, dcl: limits.dcl_a, dvl: limits.dvl_v }[name];
}

function reason_line(reason: LimitReason | undefined): string {
  if (!reason) return "no reason reported";
  const by = describe_by(reason.by);
  const why = describe_reason(reason.reason);
  return by === undefined ? why : `${why}, by ${by}`;
}

function LimitRow({ limits, name }: { limits: Limits; name: LimitName }) {
  const value = value_of(limits, name);
  const reasons = limits.reasons?.[name] ?? [];
  const unit = kLimitUnit[name];
  const is_zero = value === 0;
  return (
    <details class="limit" data-zero={is_zero ? "" : undefined}>
      <summary>
        <span class="limit-title">{kLimitTitle[name]}</span>
        <span class="limit-value">
          <Value text={format_number(value, 1)} unit={unit} why="no limit is being sent" />
        </span>
        <span class="limit-reason">{value === undefined ? "not sent" : reason_line(reasons[0])}</span>
      </summary>
      <div class="limit-more">
        <p>{kLimitMeaning[name]}</p>
        {reasons.length > 0 && (
          <table>
            <caption class="sr-only">Everything that bounds this limit, the strictest first</caption>
            <thead>
              <tr>
                <th scope="col">Reason</th>
                <th scope="col">Set by</th>
                <th scope="col" class="number">
                  Allows
                </th>
              </tr>
            </thead>
            <tbody>
              {reasons.map((reason) => (
                <tr key={`${reason.reason} ${reason.by}`}>
                  <td>{describe_reason(reason.reason)}</td>
                  <td>{describe_by(reason.by) ?? "–"}</td>
                  <td class="number">{with_unit(reason.allows, 1, unit)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </details>
  );
}

export function LimitsCard() {
  const limits = state.value.limits;
  return (
    <Card
      title="Limits in force"
      id="limits-title"
      class="limits-card"
      is_stale={is_group_stale("limits")}
      age_ms={group_age_ms("limits")}
      aside={limits?.allowed === false && <Pill tone="warn">No permission to charge or discharge</Pill>}
    >
      {limits ? (
        <div class="limits">
          {kOrder.map((name) => (
            <LimitRow key={name} limits={limits} name={name} />
          ))}
        </div>
      ) : (
        <p class="empty">No limits yet: none are sent before the first complete reading of the battery.</p>
      )}
    </Card>
  );
}
