// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt to connect: doubling from half a second to 15 s, with jitter so that many
// pages do not return at the same instant after the box restarted.

export const kBackoffFirstMs = 500;
export const kBackoffMaxMs = 15_000;

// attempt: 0 for the first wait. random: in [0, 1). The result lies between half and all of the doubled time.
export function backoff_ms(attempt: number, random: number): number {
  const ceiling = Math.min(kBackoffMaxMs, kBackoffFirstMs * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
