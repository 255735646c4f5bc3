// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/requests.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace amphora::runtime::http {
namespace {

template <class T>
Problem problem_of(const Parsed<T>& parsed) {
  const auto* problem = std::get_if<Problem>(&parsed);
  return problem == nullptr ? Problem{} : *problem;
}

Request with_query(std::string_view target) {
  const auto parsed = parse_target(target);
  Request request;
  if (parsed) {
    request.path = parsed->path;
    request.query = parsed->query;
  }
  return request;
}

TEST(ParseTarget, decodes_and_refuses) {
  const auto target = parse_target("/a%20b/c?x=1&y=a+b%26&z");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a b/c");
  ASSERT_EQ(target->query.size(), 3U);
  EXPECT_EQ(target->query[1].second, "a b&");
  for (const char* bad : {"", "a", "/%", "/%4", "/%zz", "/%00", "/?a=%0a", "http://host/"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
  EXPECT_FALSE(parse_target("/" + std::string(5000, 'a')));
}

TEST(RequestTest, cookies) {
  Request request;
  request.headers["cookie"] = "a=1; amphora_session=xyz;b=";
  EXPECT_EQ(request.cookie("amphora_session"), "xyz");
  EXPECT_EQ(request.cookie("b"), "");
  EXPECT_EQ(request.cookie("session"), std::nullopt);
}

TEST(BmsSettings, good_and_each_kind_of_bad) {
  const auto good = parse_bms_settings_change(R"({"changes":[{"register":315,"value":4.2}]})");
  ASSERT_TRUE(std::holds_alternative<BmsSettingsChange>(good));
  EXPECT_EQ(std::get<BmsSettingsChange>(good).changes[0].register_number, 315);
  const std::pair<const char*, const char*> cases[] = {
      {R"({"changes":[{"register":315}]})", "changes[0].value"},
      {R"({"changes":[{"register":315,"value":"4"}]})", "changes[0].value"},
      {R"({"changes":[{"register":1.5,"value":4}]})", "changes[0].register"},
      {R"({"changes":[{"register":70000,"value":4}]})", "changes[0].register"},
      {R"({"changes":[{"register":1,"value":4},{"register":1,"value":5}]})", "changes[1].register"},
      {R"({"changes":[{"register":1,"value":4,"x":1}]})", "changes[0].x"},
      {R"({"changes":[]})", "changes"},
      {R"({"changes":{}})", "changes"},
      {R"({})", "changes"},
      {R"({"changes":[1]})", "changes[0]"},
      {R"({"changes":[],"changes":[]})", "changes"}};
  for (const auto& [body, field] : cases) {
    EXPECT_EQ(problem_of(parse_bms_settings_change(body)).field, field) << body;
  }
  EXPECT_EQ(problem_of(parse_bms_settings_change("{")).code, "bad_json");
  EXPECT_EQ(problem_of(parse_bms_settings_change("[]")).code, "bad_json");
  EXPECT_EQ(problem_of(parse_bms_settings_change(std::string(100'000, '['))).status, 413);
  EXPECT_EQ(problem_of(parse_bms_settings_change(std::string(9, '['))).code, "too_deep");
  std::string many = "{\"changes\":[";
  for (int i = 0; i < 5000; ++i) {
    many += "1,";
  }
  EXPECT_EQ(problem_of(parse_bms_settings_change(many + "1]}")).code, "too_large");
}

TEST(Sections, a_change_names_whose_section_it_means) {
  const auto good = parse_section_change(
      R"({"scope":"02:00:00:00:00:01","section":"battery","values":{"charge_current_max_a":60}})");
  ASSERT_TRUE(std::holds_alternative<SectionChange>(good));
  EXPECT_EQ(std::get<SectionChange>(good).scope, "02:00:00:00:00:01");
  EXPECT_EQ(std::get<SectionChange>(good).change.section, "battery");
  EXPECT_EQ(problem_of(parse_section_change(R"({"section":"b","values":{"a":1}})")).field, "scope");
  EXPECT_EQ(problem_of(parse_section_change(R"({"scope":"../","section":"b","values":{"a":1}})")).field,
            "scope");
  EXPECT_EQ(problem_of(parse_section_change(R"({"scope":"own","section":"b","values":{"a":[]}})")).field,
            "values.a");
}

TEST(Pairing, each_action_has_its_own_members) {
  const auto enter = parse_pairing_request(R"({"action":"enter_code","code":"123456"})");
  ASSERT_TRUE(std::holds_alternative<PairingRequest>(enter));
  EXPECT_EQ(std::get<PairingRequest>(enter).code, "123456");
  const auto forget = parse_pairing_request(R"({"action":"forget","node":"02:00:00:00:00:01"})");
  ASSERT_TRUE(std::holds_alternative<PairingRequest>(forget));
  EXPECT_TRUE(std::holds_alternative<PairingRequest>(parse_pairing_request(R"({"action":"show_code"})")));
  EXPECT_EQ(problem_of(parse_pairing_request(R"({"action":"enter_code"})")).field, "code");
  EXPECT_EQ(problem_of(parse_pairing_request(R"({"action":"enter_code","code":123456})")).field, "code");
  EXPECT_EQ(problem_of(parse_pairing_request(R"({"action":"show_code","code":"1"})")).field, "code");
  EXPECT_EQ(problem_of(parse_pairing_request(R"({"action":"steal"})")).field, "action");
}

TEST(Pack, a_relay_is_ordered_for_a_time_or_released) {
  const auto closed = parse_relay_request(R"({"relay":"pool_pump","order":"closed","minutes":10080})");
  ASSERT_TRUE(std::holds_alternative<PackRequest>(closed));
  EXPECT_EQ(describe(std::get<PackRequest>(closed)), "Relay pool_pump: closed for 10080 min.");
  const auto released = parse_relay_request(R"({"relay":"grid","order":"auto"})");
  ASSERT_TRUE(std::holds_alternative<PackRequest>(released));
  EXPECT_EQ(describe(std::get<PackRequest>(released)), "Relay grid: auto.");
  EXPECT_EQ(problem_of(parse_relay_request(R"({"relay":"grid","order":"open"})")).field, "minutes");
  EXPECT_EQ(problem_of(parse_relay_request(R"({"relay":"grid","order":"auto","minutes":1})")).field,
            "minutes");
  EXPECT_EQ(problem_of(parse_relay_request(R"({"relay":"grid","order":"on","minutes":1})")).field, "order");
  EXPECT_EQ(problem_of(parse_relay_request(R"({"relay":"../x","order":"open","minutes":1})")).field, "relay");
  for (const std::string_view minutes : {"0", "10081", "-1"}) {
    const auto problem = problem_of(
        parse_relay_request(R"({"relay":"grid","order":"open","minutes":)" + std::string{minutes} + "}"));
    EXPECT_EQ(problem.code, "out_of_range") << minutes;
    EXPECT_EQ(problem.max, 10080) << minutes;
  }
  EXPECT_EQ(problem_of(parse_relay_request(R"({"relay":"grid","order":"open","minutes":1.5})")).code,
            "wrong_type");
}

TEST(Pack, reset_has_no_members_and_identify_its_seconds) {
  EXPECT_TRUE(std::holds_alternative<PackRequest>(parse_grid_energy_reset("{}")));
  EXPECT_EQ(problem_of(parse_grid_energy_reset(R"({"all":true})")).field, "all");
  EXPECT_TRUE(std::holds_alternative<PackRequest>(parse_identify_request(R"({"seconds":10})")));
  EXPECT_EQ(problem_of(parse_identify_request("{}")).field, "seconds");
  EXPECT_EQ(problem_of(parse_identify_request(R"({"seconds":0})")).code, "out_of_range");
  EXPECT_EQ(problem_of(parse_identify_request(R"({"seconds":301})")).code, "out_of_range");
}

TEST(BoxSettings, values_of_three_types) {
  const auto good = parse_box_settings_change(R"({"section":"battery","values":{"a":60,"b":true,"c":"x"}})");
  ASSERT_TRUE(std::holds_alternative<BoxSettingsChange>(good));
  const auto& change = std::get<BoxSettingsChange>(good);
  EXPECT_EQ(change.section, "battery");
  EXPECT_EQ(change.values[0].value, SettingValue{60.0});
  EXPECT_EQ(change.values[1].value, SettingValue{true});
  EXPECT_EQ(problem_of(parse_box_settings_change(R"({"section":"b","values":{"a":null}})")).field,
            "values.a");
  EXPECT_EQ(problem_of(parse_box_settings_change(R"({"section":"../b","values":{"a":1}})")).field, "section");
  EXPECT_EQ(problem_of(parse_box_settings_change(R"({"section":"b","values":{}})")).field, "values");
}

TEST(Commands, known_ones_only) {
  EXPECT_EQ(std::get<BmsCommand>(parse_bms_command(R"({"command":"reset"})")), BmsCommand::kReset);
  EXPECT_EQ(problem_of(parse_bms_command(R"({"command":"explode"})")).code, "unknown_command");
}

TEST(CredentialsTest, rules) {
  EXPECT_TRUE(std::holds_alternative<Credentials>(parse_credentials(R"({"user":"a","password":"x"})")));
  EXPECT_EQ(problem_of(parse_new_credentials(R"({"user":"a","password":"short"})")).code, "too_short");
  EXPECT_EQ(problem_of(parse_credentials(R"({"user":"a b","password":"x"})")).field, "user");
  EXPECT_EQ(problem_of(parse_credentials(R"({"user":"a","password":5})")).field, "password");
}

TEST(Queries, defaults_and_errors) {
  const auto events = parse_event_query(with_query("/x?level=warning&source=bms&q=a%20b&before=17&limit=5"));
  ASSERT_TRUE(std::holds_alternative<EventQuery>(events));
  EXPECT_EQ(std::get<EventQuery>(events).level_min, EventLevel::kWarning);
  EXPECT_EQ(std::get<EventQuery>(events).before, 17);
  EXPECT_EQ(problem_of(parse_event_query(with_query("/x?limit=0"))).code, "out_of_range");
  EXPECT_EQ(problem_of(parse_event_query(with_query("/x?limit=1x"))).field, "limit");
  EXPECT_EQ(problem_of(parse_event_query(with_query("/x?level=loud"))).field, "level");
  EXPECT_EQ(problem_of(parse_event_query(with_query("/x?other=1"))).field, "other");
  EXPECT_EQ(problem_of(parse_event_query(with_query("/x?limit=1&limit=2"))).code, "doubled_field");
  const auto history = parse_history_query(with_query("/x?series=power_w,soc_percent"), 2 * kDayMs);
  ASSERT_TRUE(std::holds_alternative<HistoryQuery>(history));
  EXPECT_EQ(std::get<HistoryQuery>(history).from_ms, kDayMs);
  EXPECT_EQ(std::get<HistoryQuery>(history).series.size(), 2U);
  EXPECT_EQ(problem_of(parse_history_query(with_query("/x?from=5&to=5"), 10)).field, "from");
  EXPECT_EQ(problem_of(parse_history_query(with_query("/x?series=power_w,power_w"), 10)).field, "series");
  EXPECT_EQ(problem_of(parse_days_query(with_query("/x?days=0"))).field, "days");
}

TEST(ProblemResponse, carries_numbers_only_where_known) {
  Problem problem;
  problem.status = 422;
  problem.code = "out_of_range";
  problem.message = "m";
  problem.register_number = 315;
  problem.max = 4.5;
  const Response response = problem_response(problem);
  EXPECT_EQ(response.status, 422);
  const auto json = nlohmann::json::parse(response.body)["error"];
  EXPECT_EQ(json["register"], 315);
  EXPECT_EQ(json["max"], 4.5);
  EXPECT_FALSE(json.contains("min"));
  EXPECT_FALSE(json.contains("field"));
}

}  // namespace
}  // namespace amphora::runtime::http
