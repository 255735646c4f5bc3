// SPDX-License-Identifier: Apache-2.0
// Our bridge: each frame from a CAN port, decoded, as the line of `amphora decode`, through the box's own
// MQTT client.
//
//   bench_mqtt_amphora CAN MQTT_PORT QOS
//
// Until SIGTERM. The client offers two ways. With QoS 1 the frames go as events: in order, kept until the
// broker has acknowledged them. With QoS 0 they go as states, of which a newer one replaces one that has not
// been sent yet; so that every frame can be asked for again, each frame under way has a topic of its own.
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "apps/amphora/decode/line_decoder.hpp"
#include "bench/can_to_mqtt/stream.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/mqtt/mqtt_client.hpp"

int main(int argc, char** argv) {
  using namespace amphora;
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_mqtt_amphora CAN MQTT_PORT QOS\n");
    return 2;
  }
  runtime::MqttOptions options;
  options.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  runtime::MqttClient client{options, {}};
  client.start();
  runtime::Loop loop;
  const bool is_event = std::atoi(argv[3]) == 1;
  std::array<std::string, bench::kWindow> topics;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    topics[i] = std::string{bench::kTopic} + "/" + std::to_string(i);
  }
  const can::Frame warm_up = bench::warm_up_frame();
  std::size_t next = 0;
  std::string line;
  const auto port = runtime::open_can(loop, argv[1], {},
                                      {.on_frame =
                                           [&](const can::Frame& frame) {
                                             line.clear();
                                             decode::append_victron_frame(frame, line);
                                             line.pop_back();  // the line feed
                                             if (is_event) {
                                               (void)client.publish_event(bench::kTopic, line);
                                             } else {
                                               (void)client.publish_state(topics[next % topics.size()], line);
                                               next += frame == warm_up ? 0 : 1;
                                             }
                                           },
                                       .on_state = {}});
  if (!port) {
    std::fprintf(stderr, "%s\n", std::string{runtime::to_text(port.error())}.c_str());
    return 2;
  }
  const runtime::SignalWatch signals{loop, {SIGTERM}, [&](int) { loop.stop(); }};
  loop.run();
  return 0;
}
