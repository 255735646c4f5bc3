// SPDX-License-Identifier: Apache-2.0
// The store on a file system that is really full, and what happens when there is room again.
//
// The test mounts a small tmpfs in a mount namespace of its own, so nothing of the machine changes and
// nothing stays behind.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "runtime/loop/loop.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

std::string mount_error;  // why the small file system could not be made; empty when it is there
std::string mount_point;

// Before any thread exists: a user namespace needs a single-threaded process.
void mount_small_disk() {
  mount_point = "/tmp/amphora_full_disk_" + std::to_string(::getpid());
  std::filesystem::create_directory(mount_point);
  const uid_t user = ::getuid();
  if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    mount_error = std::string{"unshare: "} + std::strerror(errno);
    return;
  }
  if (user != 0) {
    std::ofstream{"/proc/self/setgroups"} << "deny";
    std::ofstream{"/proc/self/uid_map"} << "0 " << user << " 1";
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=1m") != 0) {
    mount_error = std::string{"mount: "} + std::strerror(errno);
  }
}

std::optional<SysError> flush(Store& store) {
  std::promise<std::optional<SysError>> done;
  store.flush([&](const std::optional<SysError>& error) { done.set_value(error); });
  return done.get_future().get();
}

TEST(FullDisk, nothing_is_lost_nothing_waits_and_all_is_written_in_order_afterwards) {
  if (!mount_error.empty()) {
    GTEST_SKIP() << "this machine does not let a test mount a tmpfs: " << mount_error;
  }
  StoreOptions options;
  options.directory = mount_point + "/data";
  options.retry_after = 20ms;
  auto opened = Store::open(options);
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  auto store = std::move(opened.value());
  store->put_section("battery", "before");
  ASSERT_EQ(flush(*store), std::nullopt);
  {
    std::ofstream ballast{mount_point + "/ballast"};
    const std::string block(4096, 'x');
    while (ballast << block << std::flush) {
    }
  }
  const auto add = [&](int i) {
    EventRecord event;
    event.code = "event" + std::to_string(i);
    event.text = std::string(200, 'x');
    store->append_event(event);
    store->append_reading({static_cast<std::uint64_t>(i), "t", std::string(200, 'x')});
  };
  int count = 0;
  std::optional<SysError> error;
  while (!error && count < 5000) {
    add(++count);
    error = count % 50 == 0 ? flush(*store) : std::nullopt;
  }
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ENOSPC) << error->text();
  store->put_section("battery", "after");
  // Nobody waits for the disk: a thousand calls are a matter of memory.
  for (int i = 0; i < 500; ++i) {
    add(++count);
  }
  const TimePoint end = steady_now() + 20s;
  while (store->status().write_failures < 3 && steady_now() < end) {
    std::this_thread::sleep_for(5ms);
  }
  const StoreStatus full = store->status();
  EXPECT_FALSE(full.is_ok);
  EXPECT_NE(full.error.find("No space left"), std::string::npos) << full.error;
  EXPECT_GE(full.write_failures, 3U);
  EXPECT_EQ(full.dropped, 0U);

  // Room again. The file system grows, because what was waiting needs more than the ballast held.
  ASSERT_EQ(::mount("tmpfs", mount_point.c_str(), "tmpfs", MS_REMOUNT, "size=32m"), 0)
      << std::strerror(errno);
  while (!store->status().is_ok && steady_now() < end) {
    std::this_thread::sleep_for(5ms);
  }
  ASSERT_EQ(flush(*store), std::nullopt);
  EXPECT_TRUE(store->status().is_ok);
  EXPECT_EQ(store->status().queued, 0U);
  store.reset();
  store = std::move(Store::open(options).value());
  EXPECT_EQ(store->stored().sections.at("battery"), "after");
  ASSERT_EQ(store->stored().readings.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(store->stored().readings[static_cast<std::size_t>(i)].sequence,
              static_cast<std::uint64_t>(i + 1));
  }
  std::promise<EventPage> page;
  EventQuery query;
  query.limit = 1000;
  ASSERT_TRUE(store->query_events(query, [&](EventPage found) { page.set_value(std::move(found)); }));
  const EventPage newest = page.get_future().get();
  ASSERT_FALSE(newest.events.empty());
  for (std::size_t i = 0; i < newest.events.size(); ++i) {
    EXPECT_EQ(newest.events[i].code, "event" + std::to_string(count - static_cast<int>(i)));
  }
}

}  // namespace
}  // namespace amphora::runtime

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  amphora::runtime::mount_small_disk();
  const int result = RUN_ALL_TESTS();
  ::umount2(amphora::runtime::mount_point.c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(amphora::runtime::mount_point, ignored);
  return result;
}
