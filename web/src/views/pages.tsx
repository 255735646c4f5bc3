// SPDX-License-Identifier: Apache-2.0
// Which pages there are, and which of them a box's role has. A new page is one line here and one file beside this one.
import type { ComponentChildren } from "preact";
import { CellsPage } from "./cells";
import { EventsPage } from "./events";
import { HistoryPage } from "./history";
import { ModesPage } from "./modes";
import { NetworkPage } from "./network";
import { PackNetworkPage } from "./network_pack";
import { Overview } from "./overview";
import { PackOverview } from "./overview_pack";
import { CellsIcon, EventsIcon, FlowIcon, HistoryIcon, ModesIcon, NetworkIcon, SettingsIcon } from "./parts/icons";
import { SettingsPage } from "./settings";

export interface Page {
  path: string;
  title: string;
  PageIcon: () => ComponentChildren;
  View: () => ComponentChildren;
}

const kOverview: Page = { path: "/", title: "Overview", PageIcon: FlowIcon, View: Overview };
const kCells: Page = { path: "/cells", title: "Cells", PageIcon: CellsIcon, View: CellsPage };
const kHistory: Page = { path: "/history", title: "History", PageIcon: HistoryIcon, View: HistoryPage };
const kNetwork: Page = { path: "/network", title: "Network", PageIcon: NetworkIcon, View: NetworkPage };
const kSettings: Page = { path: "/settings", title: "Settings", PageIcon: SettingsIcon, View: SettingsPage };
const kEvents: Page = { path: "/events", title: "Events", PageIcon: EventsIcon, View: EventsPage };

const kPackOverview: Page = { ...kOverview, View: PackOverview };
const kPackNetwork: Page = { ...kNetwork, View: PackNetworkPage };
const kModes: Page = { path: "/modes", title: "Modes", PageIcon: ModesIcon, View: ModesPage };

const kBatteryPages = [kOverview, kCells, kHistory, kNetwork, kSettings, kEvents];
const kPagesOfRole: Record<string, Page[]> = {
  "bms-gateway": kBatteryPages,
  transmitter: kBatteryPages,
  receiver: kBatteryPages, // of the transmitter's battery
  pack: [kPackOverview, kModes, kCells, kHistory, kPackNetwork, kSettings, kEvents],
};
const kDefaultPages = [kOverview, kHistory, kNetwork, kSettings, kEvents];

// Before the role is known the full set is shown, so that navigation does not jump in the common case.
export function pages_of(role: string | undefined): Page[] {
  return role === undefined ? kBatteryPages : (kPagesOfRole[role] ?? kDefaultPages);
}

export function page_at(path: string, role: string | undefined): Page {
  const pages = pages_of(role);
  const found = pages.find((page) => page.path !== "/" && (path === page.path || path.startsWith(`${page.path}/`)));
  return found ?? pages[0] ?? kOverview;
}
