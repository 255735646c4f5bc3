// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/identity.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "apps/amphora/config/checks_pack.hpp"
#include "apps/amphora/config/secret_file.hpp"
#include "core/base/crc.hpp"
#include "core/packnet/command.hpp"

namespace amphora::packs_command {

namespace {

std::runtime_error fault(const std::filesystem::path& path, int error) {
  return std::runtime_error{fmt::format("{}: {}", path.string(), std::strerror(error))};
}

// Everything that was written to the file or folder is on the disk.
bool synchronise(const std::filesystem::path& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) {
    return false;
  }
  const bool is_done = fsync(file) == 0;
  return close(file) == 0 && is_done;
}

std::optional<std::uint64_t> read_counter(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::string line;
  std::uint64_t counter = 0;
  if (!std::getline(file, line)) {
    return std::nullopt;
  }
  const char* const end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data(), end, counter);
  return error == std::errc{} && stop == end && counter <= packnet::kCounterMax ? std::optional{counter}
                                                                                : std::nullopt;
}

}  // namespace

packnet::HardwareNumber hardware_of_machine(std::string_view machine_id) {
  Digest digest;
  for (const char character : fmt::format("{}/amphora packs", machine_id)) {
    digest.add_byte(static_cast<std::uint8_t>(character));
  }
  return digest.value() != 0 ? digest.value() : 1;
}

std::string hardware_text(packnet::HardwareNumber hardware) {
  return fmt::format("{:016x}", hardware);
}

crypto::Key read_bus_key(const std::string& path) {
  if (const auto why = config::secret_file_fault(path)) {
    throw std::runtime_error{*why};
  }
  const auto key = config::parse_bus_key(config::read_secret(path).value_or(""));
  if (!key) {
    throw std::runtime_error{fmt::format(
        "{} holds no key: 64 hexadecimal digits are needed, as from: openssl rand -hex 32", path)};
  }
  return *key;
}

std::filesystem::path default_state_folder() {
  const char* const home = std::getenv("XDG_STATE_HOME");
  return home != nullptr && *home == '/' ? std::filesystem::path{home} / "amphora"
                                         : std::filesystem::path{"/var/lib/amphora"};
}

CounterFile::CounterFile(const std::filesystem::path& folder, packnet::HardwareNumber hardware, WallTime now)
    : path_{folder / fmt::format("packs-{}.counter", hardware_text(hardware))} {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::filesystem::path lock_path = path_.string() + ".lock";
  lock_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) {
    throw fault(lock_path, errno);
  }
  const auto give_up = [this](std::runtime_error why) {
    close(lock_);
    throw why;
  };
  if (flock(lock_, LOCK_EX) != 0) {
    give_up(fault(lock_path, errno));
  }
  if (!std::filesystem::exists(path_, error)) {
    const auto start = static_cast<std::uint64_t>(now.unix_ms > 0 ? now.unix_ms : 0);
    counter_ = start <= packnet::kCounterMax ? start : 0;
    return;
  }
  const auto stored = read_counter(path_);
  if (!stored) {
    give_up(std::runtime_error{
        fmt::format("{} holds no counter; remove it to start at the wall clock", path_.string())});
  }
  counter_ = *stored;
}

CounterFile::~CounterFile() {
  close(lock_);
}

bool CounterFile::store(std::uint64_t counter) {
  const std::filesystem::path fresh = path_.string() + ".new";
  {
    std::ofstream file{fresh, std::ios::trunc};
    file << counter << '\n';
    if (!file.flush()) {
      return false;
    }
  }
  if (!synchronise(fresh, O_RDONLY)) {
    return false;
  }
  std::error_code error;
  std::filesystem::rename(fresh, path_, error);
  if (error || !synchronise(path_.parent_path(), O_RDONLY | O_DIRECTORY)) {
    return false;
  }
  counter_ = counter;
  return true;
}

}  // namespace amphora::packs_command
