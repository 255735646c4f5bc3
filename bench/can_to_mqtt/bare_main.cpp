// SPDX-License-Identifier: Apache-2.0
// The least a bridge can do: format with snprintf and mosquitto_publish, one thread, nothing kept, nothing
// repeated.
//
//   bench_mqtt_bare loop MQTT_PORT QOS COUNT
//   bench_mqtt_bare udp MQTT_PORT QOS GROUP PORT
//
// The first has COUNT frames in memory and begins at a line on standard input. The second receives them from
// python-can's UDP bus, one recv for each.
// Only the fields are looked at that the frames of stream.hpp have; there is no check of anything. Until
// SIGTERM.
#include <arpa/inet.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "bench/can_to_mqtt/stream.hpp"

namespace {

struct Bare {
  mosquitto* client;
  int qos;
};

void publish(const Bare& bare, std::uint32_t id, const std::uint8_t* data) {
  char text[256];
  std::uint16_t u[4];
  std::int16_t s[4];
  std::memcpy(u, data, sizeof u);
  std::memcpy(s, data, sizeof s);
  int size = 0;
  switch (id) {
    case 0x351:
      size = std::snprintf(
          text, sizeof text,
          R"({"id":"0x351","name":"limits","cvl_v":%.1f,"ccl_a":%.1f,"dcl_a":%.1f,"dvl_v":%.1f})",
          u[0] / 10.0, s[1] / 10.0, s[2] / 10.0, u[3] / 10.0);
      break;
    case 0x355:
      size = std::snprintf(
          text, sizeof text,
          R"({"id":"0x355","name":"charge","soc_percent":%d,"soh_percent":%d,"soc_hires_percent":%.2f})",
          u[0], u[1], u[2] / 100.0);
      break;
    case 0x356:
      size = std::snprintf(
          text, sizeof text,
          R"({"id":"0x356","name":"measurements","voltage_v":%.2f,"current_a":%.1f,"temperature_c":%.1f})",
          s[0] / 100.0, s[1] / 10.0, s[2] / 10.0);
      break;
    default:
      size = std::snprintf(text, sizeof text,
                           R"({"id":"0x373","name":"cell_extremes","cell_min_v":%.3f,"cell_max_v":%.3f,)"
                           R"("temperature_min_c":%d,"temperature_max_c":%d})",
                           u[0] / 1000.0, u[1] / 1000.0, u[2] - 273, u[3] - 273);
  }
  (void)mosquitto_publish(bare.client, nullptr, amphora::bench::kTopic, size, text, bare.qos, false);
}

// Whatever the broker has sent, without waiting; with QoS 1 these are the acknowledgements.
void serve(const Bare& bare, int timeout_ms) {
  pollfd wanted{mosquitto_socket(bare.client), POLLIN, 0};
  if (mosquitto_want_write(bare.client)) {
    wanted.events |= POLLOUT;
  }
  if (poll(&wanted, 1, timeout_ms) > 0) {
    (void)mosquitto_loop_read(bare.client, 1);
    (void)mosquitto_loop_write(bare.client, 1);
  }
  (void)mosquitto_loop_misc(bare.client);
}

void run_loop(const Bare& bare, int count) {
  std::vector<amphora::can::Frame> frames;
  for (int i = 0; i < count; ++i) {
    frames.push_back(amphora::bench::expected(i).frame);
  }
  const auto warm_up = amphora::bench::warm_up_frame();
  pollfd go{STDIN_FILENO, POLLIN, 0};
  while (poll(&go, 1, 50) == 0) {
    publish(bare, warm_up.id, warm_up.data.data());
    serve(bare, 0);
  }
  int sent = 0;
  for (const auto& frame : frames) {
    publish(bare, frame.id, frame.data.data());
    if (++sent % 16 == 0 && (bare.qos > 0 || mosquitto_want_write(bare.client))) {
      serve(bare, mosquitto_want_write(bare.client) ? 100 : 0);
    }
  }
  while (true) {
    serve(bare, 1000);
  }
}

int open_bus(const char* group, int port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const int one = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = inet_addr(group);
  ip_mreq membership{address.sin_addr, {htonl(INADDR_LOOPBACK)}};
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) != 0) {
    std::perror("bench_mqtt_bare");
    std::exit(2);
  }
  return fd;
}

// The bytes behind a key of the MessagePack map; the keys are known to be there.
const std::uint8_t* after(const std::uint8_t* datagram, std::size_t size, std::string_view key) {
  const void* at = memmem(datagram, size, key.data(), key.size());
  return at == nullptr ? nullptr : static_cast<const std::uint8_t*>(at) + key.size();
}

void run_udp(const Bare& bare, const char* group, int port) {
  const int fd = open_bus(group, port);
  while (true) {
    pollfd wanted[2] = {{fd, POLLIN, 0}, {mosquitto_socket(bare.client), POLLIN, 0}};
    if (bare.qos > 0 || mosquitto_want_write(bare.client)) {
      (void)poll(wanted, 2, mosquitto_want_write(bare.client) ? 1 : 1000);
      serve(bare, 0);
    }
    std::uint8_t datagram[512] = {};
    const ssize_t size = recv(fd, datagram, sizeof datagram, bare.qos > 0 ? MSG_DONTWAIT : 0);
    if (size < 0) {
      continue;
    }
    const std::uint8_t* id = after(datagram, static_cast<std::size_t>(size), "arbitration_id");
    const std::uint8_t* data = after(datagram, static_cast<std::size_t>(size),
                                     "\xA4"
                                     "data");
    if (id != nullptr && data != nullptr) {
      publish(bare, static_cast<std::uint32_t>(id[1] << 8 | id[2]), data + 2);  // uint16 and bin8
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: bench_mqtt_bare loop MQTT_PORT QOS COUNT | udp MQTT_PORT QOS GROUP PORT\n");
    return 2;
  }
  (void)mosquitto_lib_init();
  const Bare bare{mosquitto_new(nullptr, true, nullptr), std::atoi(argv[3])};
  if (mosquitto_connect(bare.client, "127.0.0.1", std::atoi(argv[2]), 60) != MOSQ_ERR_SUCCESS) {
    std::fprintf(stderr, "no broker at port %s\n", argv[2]);
    return 2;
  }
  for (int i = 0; i < 10; ++i) {
    serve(bare, 20);  // the broker's greeting
  }
  if (std::string_view{argv[1]} == "loop") {
    run_loop(bare, std::atoi(argv[4]));
  } else {
    run_udp(bare, argv[4], std::atoi(argv[5]));
  }
}
