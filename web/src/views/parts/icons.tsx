// SPDX-License-Identifier: Apache-2.0
// The app's own icons: 24 x 24, one stroke of 1.75, drawn in the text's colour. All are decoration beside a word.
import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const FlowIcon = () => (
  <Icon>
    <path d="M3 12h5l2.5-6 4 12 2.5-6H21" />
  </Icon>
);
export const CellsIcon = () => (
  <Icon>
    <path d="M5 20V9M10 20V5M14.5 20v-9M19 20V7" />
  </Icon>
);
export const HistoryIcon = () => (
  <Icon>
    <path d="M4 4v16h16" />
    <path d="M7.5 15.5l3.5-5 3.5 2.5L20 6.5" />
  </Icon>
);
export const SettingsIcon = () => (
  <Icon>
    <path d="M4 7h9M17 7h3M4 17h3M11 17h9" />
    <circle cx="15" cy="7" r="2.1" />
    <circle cx="9" cy="17" r="2.1" />
  </Icon>
);
export const EventsIcon = () => (
  <Icon>
    <path d="M9 6h11M9 12h11M9 18h7" />
    <path d="M4.5 6h.01M4.5 12h.01M4.5 18h.01" class="dots" />
  </Icon>
);
export const ThemeIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 4a8 8 0 0 1 0 16z" class="filled" />
  </Icon>
);
export const PersonIcon = () => (
  <Icon>
    <circle cx="12" cy="8.5" r="3.5" />
    <path d="M5 20c.8-3.8 3.5-5.5 7-5.5s6.2 1.7 7 5.5" />
  </Icon>
);
export const AlertIcon = () => (
  <Icon>
    <path d="M12 4l9 16H3z" />
    <path d="M12 10v4.5M12 17.2h.01" />
  </Icon>
);
export const CheckIcon = () => (
  <Icon>
    <path d="M5 12.5l4.5 4.5L19 7" />
  </Icon>
);
export const InfoIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 11v5M12 8h.01" />
  </Icon>
);
export const ClockIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7v5l3.2 2" />
  </Icon>
);
export const LinkIcon = () => (
  <Icon>
    <path d="M9 7V3M15 7V3M6 7h12v4a6 6 0 0 1-12 0zM12 17v4" />
  </Icon>
);
export const BoxIcon = () => (
  <Icon>
    <rect x="3.5" y="6" width="17" height="12" rx="2.5" />
    <path d="M7 12h.01M11 12h6" />
  </Icon>
);
export const NetworkIcon = () => (
  <Icon>
    <circle class="filled" cx="12" cy="17.5" r="1.6" />
    <path d="M8.2 13.8a5.4 5.4 0 0 1 7.6 0M5 10.6a9.9 9.9 0 0 1 14 0" />
  </Icon>
);
export const RadioIcon = () => (
  <Icon>
    <path d="M12 12v8M8.5 8.5a5 5 0 0 1 7 0M5.7 5.7a9 9 0 0 1 12.6 0" />
    <circle class="filled" cx="12" cy="11.5" r="1.4" />
  </Icon>
);
export const OpenLockIcon = () => (
  <Icon>
    <rect x="5" y="11" width="14" height="9" rx="2" />
    <path d="M8.5 11V7.5a3.5 3.5 0 0 1 6.8-1.2" />
  </Icon>
);
export const InverterIcon = () => (
  <Icon>
    <rect x="5" y="3" width="14" height="18" rx="2.5" />
    <path d="M8.5 9c1.2-2 2.3-2 3.5 0s2.3 2 3.5 0M8.5 16h7" />
  </Icon>
);
export const ThermometerIcon = () => (
  <Icon>
    <path d="M10 13.5V5.5a2 2 0 0 1 4 0v8a4 4 0 1 1-4 0z" />
    <path d="M12 10v7" />
  </Icon>
);
export const DownloadIcon = () => (
  <Icon>
    <path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4.5 20h15" />
  </Icon>
);
export const LeftIcon = () => (
  <Icon>
    <path d="M14.5 6l-6 6 6 6" />
  </Icon>
);
export const RightIcon = () => (
  <Icon>
    <path d="M9.5 6l6 6-6 6" />
  </Icon>
);
export const UpIcon = () => (
  <Icon>
    <path d="M6 14.5l6-6 6 6" />
  </Icon>
);
export const DownIcon = () => (
  <Icon>
    <path d="M6 9.5l6 6 6-6" />
  </Icon>
);
export const ZoomInIcon = () => (
  <Icon>
    <circle cx="11" cy="11" r="6.5" />
    <path d="M16 16l4.5 4.5M11 8.5v5M8.5 11h5" />
  </Icon>
);
export const ZoomOutIcon = () => (
  <Icon>
    <circle cx="11" cy="11" r="6.5" />
    <path d="M16 16l4.5 4.5M8.5 11h5" />
  </Icon>
);
export const ModesIcon = () => (
  <Icon>
    <rect x="3.5" y="4.5" width="17" height="6" rx="3" />
    <rect x="3.5" y="13.5" width="17" height="6" rx="3" />
    <circle class="filled" cx="17.5" cy="7.5" r="1.5" />
    <circle class="filled" cx="6.5" cy="16.5" r="1.5" />
  </Icon>
);
export const SunIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 3.5v1.8M12 18.7v1.8M3.5 12h1.8M18.7 12h1.8M6 6l1.3 1.3M16.7 16.7L18 18M18 6l-1.3 1.3M7.3 16.7L6 18" />
  </Icon>
);
export const GridIcon = () => (
  <Icon>
    <path d="M9.5 4h5L18 20.5M9.5 4L6 20.5M4.5 8.5h15M5 13h14M8.6 8.5l6.8 4.5M15.4 8.5L8.6 13M7.6 13l9.4 7.5M16.4 13L7 20.5" />
  </Icon>
);
export const HomeIcon = () => (
  <Icon>
    <path d="M4 11.5L12 4.5l8 7M6 10v9.5h12V10" />
    <path d="M10 19.5V14h4v5.5" />
  </Icon>
);
export const PlugIcon = () => (
  <Icon>
    <path d="M9 4v4M15 4v4M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v3.5" />
  </Icon>
);
export const CrownIcon = () => (
  <Icon>
    <path d="M4.5 8l3.7 4L12 5.5l3.8 6.5 3.7-4-1.3 10H5.8z" />
  </Icon>
);

// The mark: a small amphora.
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path
      class="mark-body"
      d="M12.5 4h7c0 2.4-.2 3.6.6 4.8 1.5 1.4 5.4 2.8 5.4 7.7 0 5.3-4 8.5-6.5 11v1.5h-6V27.5c-2.5-2.5-6.5-5.7-6.5-11 0-4.9 3.9-6.3 5.4-7.7.8-1.2.6-2.4.6-4.8z"
    />
    <path class="mark-handle" d="M12.2 5.5C8.5 4.8 6.4 7.2 7.7 11M19.8 5.5c3.7-.7 5.8 1.7 4.5 5.5" />
    <path class="mark-bolt" d="M17.2 11l-3.7 6h2.3l-1 4.5 3.7-6h-2.3z" />
  </svg>
);
