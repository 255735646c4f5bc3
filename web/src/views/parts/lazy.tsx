// SPDX-License-Identifier: Apache-2.0
// A component whose code is loaded when it is first shown. A few lines instead of the library's compatibility layer,
// which would cost every page more than the code it delays.
import type { ComponentChildren, FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";

export function lazy<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
  waiting: ComponentChildren,
): FunctionComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined;
  return function Lazy(props: Props) {
    const [, set_ready] = useState(false);
    const [has_failed, set_failed] = useState(false);
    useEffect(() => {
      if (loaded) return;
      load()
        .then((component) => {
          loaded = component;
          set_ready(true);
        })
        .catch(() => set_failed(true));
    }, []);
    if (loaded) {
      const Loaded = loaded;
      return <Loaded {...props} />;
    }
    if (has_failed) return <p class="empty">This part of the page could not be loaded. Reload to try again.</p>;
    return <>{waiting}</>;
  };
}
