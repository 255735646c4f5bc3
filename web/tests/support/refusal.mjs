// SPDX-License-Identifier: Apache-2.0
// A request that the simulated box refuses, as the real one would: a status and an error object.
export class Refusal extends Error {
  constructor(status, code, message, more = {}) {
    super(message);
    this.status = status;
    this.body = { error: { code, message, ...more } };
  }
}
