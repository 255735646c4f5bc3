// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/pack_text.hpp"

#include <array>

namespace amphora::run {

std::string_view title_of(energy::Relay relay) {
  constexpr std::array<std::string_view, energy::kRelayCount> kTitles{
      "Grid", "Inverter output", "Pool pump", "Water heater", "Load 3", "Load 4", "Load 5", "Load 6"};
  return kTitles[energy::index_of(relay)];
}

std::string_view title_of(energy::Holder holder) {
  constexpr std::array<std::string_view, energy::kHolderCount> kTitles{
      "Safety", "Minimum charge", "Import limit", "Backup", "Self-consumption",
      "Eco",    "Time of use",    "A person",     "Nobody"};
  return kTitles[static_cast<std::size_t>(holder)];
}

std::string_view title_of(runtime::Place place) {
  return place == runtime::Place::kAcVoltage ? std::string_view{"AC voltage"}
                                             : title_of(energy::relay_at(index_of(place)));
}

std::string_view sentence_of(energy::Warning warning) {
  using enum energy::Warning;
  switch (warning) {
    case kOverEcoLimit:
      return "Consumption has been over the eco limit for two minutes.";
    case kLoadsLimit:
      return "Everything that eco may open is open, and consumption is still over the limit.";
    case kEcoFellBack:
      return "Eco could not keep consumption under its limit; self-consumption runs instead.";
    case kImportUnmeasured:
      return "The import limit is on, but power from the grid is not measured.";
    case kTimeUnknown:
      return "A mode that is on needs the time, and nobody has told it.";
    case kSocUnknown:
      return "A mode that is on needs the state of charge, and it is not known.";
    case kRelayMismatch:
      return "A contact does not do what it is told.";
    case kRelayWear:
      return "A relay has switched as often as it may in an hour; it keeps its position for now.";
    case kCount:
      break;
  }
  return "";
}

}  // namespace amphora::run
