// SPDX-License-Identifier: Apache-2.0
// Our bridge: each frame from a CAN port, decoded, as the line of `amphora decode`, through the box's own
// MQTT client.
//
//   bench_mqtt_amphora CAN MQTT_PORT     until SIGTERM
//
// Every message counts here, so they go as events: in order, QoS 1, kept until the broker has acknowledged
// them.
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
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_mqtt_amphora CAN MQTT_PORT\n");
    return 2;
  }
  runtime::MqttOptions options;
  options.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  runtime::MqttClient client{options, {}};
  client.start();
  runtime::Loop loop;
  std::string line;
  const auto port = runtime::open_can(loop, argv[1], {},
                                      {.on_frame =
                                           [&](const can::Frame& frame) {
                                             line.clear();
                                             decode::append_victron_frame(frame, line);
                                             line.pop_back();  // the line feed
                                             (void)client.publish_event(bench::kTopic, line);
                                           },
                                       .on_state = {}});
  if (!port) {
    std::fprintf(stderr, "%s\n", std::string{runtime::to_text(port.error())}.c_str());
    return 2;
  }
  const runtime::SignalWatch signals{loop, {SIGTERM}, [&](int) { loop.stop(); }};
  loop.run();
  return client.status().dropped == 0 ? 0 : 1;
}
