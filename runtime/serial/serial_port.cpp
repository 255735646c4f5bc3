// SPDX-License-Identifier: Apache-2.0
#include "runtime/serial/serial_port.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace amphora::runtime {

namespace {

struct BaudRate {
  std::uint32_t baud;
  speed_t speed;
};
constexpr BaudRate kBaudRates[] = {{1200, B1200},     {2400, B2400},     {4800, B4800},    {9600, B9600},
                                   {19200, B19200},   {38400, B38400},   {57600, B57600},  {115200, B115200},
                                   {230400, B230400}, {460800, B460800}, {921600, B921600}};

std::optional<speed_t> speed_of(std::uint32_t baud) {
  for (const BaudRate& rate : kBaudRates) {
    if (rate.baud == baud) {
      return rate.speed;
    }
  }
  return std::nullopt;
}

std::string advice_for(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "add the user that runs this program to the group dialout, then log in again";
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "is the adapter plugged in? ls -l /dev/serial/by-id shows what is there";
    case EBUSY:
    case EWOULDBLOCK:
      return "another program has the port open; end it first";
    default:
      return {};
  }
}

OpenedFd open_line(const SerialOptions& options) {
  const auto speed = speed_of(options.baud);
  if (!speed) {
    return not_opened(
        -1, SysError{EINVAL, "set " + options.path + " to " + std::to_string(options.baud) + " baud",
                     "use 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800 or 921600"});
  }
  const int fd = ::open(options.path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return not_opened(fd, last_sys_error("open " + options.path, advice_for(errno)));
  }
  if (::isatty(fd) == 0) {
    return not_opened(fd, SysError{ENOTTY, "open " + options.path, "it is not a serial line"});
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return not_opened(fd, last_sys_error("lock " + options.path, advice_for(EBUSY)));
  }
  termios line{};
  if (::tcgetattr(fd, &line) != 0) {
    return not_opened(fd, last_sys_error("read the settings of " + options.path));
  }
  ::cfmakeraw(&line);
  line.c_cflag &= static_cast<tcflag_t>(~(CSTOPB | CRTSCTS | PARENB | PARODD | CSIZE));
  line.c_cflag |= CS8 | CREAD | CLOCAL;
  if (options.parity != SerialParity::kNone) {
    line.c_cflag |= PARENB | (options.parity == SerialParity::kOdd ? PARODD : 0U);
  }
  line.c_cc[VMIN] = 0;
  line.c_cc[VTIME] = 0;
  (void)::cfsetispeed(&line, *speed);
  (void)::cfsetospeed(&line, *speed);
  if (::tcsetattr(fd, TCSANOW, &line) != 0) {
    return not_opened(fd, last_sys_error("set up " + options.path));
  }
  (void)::ioctl(fd, TIOCEXCL);  // not known to every driver; the lock above holds among well-behaved programs
  (void)::tcflush(fd, TCIOFLUSH);
  return OpenedFd{fd, {}};
}

}  // namespace

bool is_baud_known(std::uint32_t baud) {
  return speed_of(baud).has_value();
}

class SerialPort::State : public std::enable_shared_from_this<State> {
 public:
  State(Loop& loop, SerialOptions options, SerialHandlers handlers)
      : loop_{loop},
        options_{std::move(options)},
        handlers_{std::move(handlers)},
        reopen_after_{options_.reopen_after_min},
        timer_{loop} {
    output_.reserve(kSerialTxCapacity);
  }

  void start() {
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->open();
      }
    });
  }
  void stop() {
    is_stopped_ = true;
    timer_.cancel();
    close();
    handlers_ = {};
  }

  bool write(ByteSpan bytes) {
    if (fd_ < 0 || output_.size() + bytes.size() > kSerialTxCapacity) {
      counters_.bytes_dropped += bytes.size();
      return false;
    }
    output_.insert(output_.end(), bytes.begin(), bytes.end());
    request_write();
    return true;
  }
  void discard_output() {
    output_.clear();
    if (fd_ >= 0) {
      (void)::tcflush(fd_, TCOFLUSH);
    }
  }
  bool is_open() const { return fd_ >= 0; }
  const std::optional<SysError>& last_error() const { return error_; }
  const SerialCounters& counters() const { return counters_; }

 private:
  void open() {
    if (is_stopped_) {
      return;
    }
    OpenedFd opened = open_line(options_);
    if (opened.fd < 0) {
      ++counters_.open_failures;
      // A person is told once, not at each try; a new reason is news.
      const bool is_news = error_ != opened.error;
      error_ = std::move(opened.error);
      try_later();
      if (is_news && handlers_.on_state) {
        handlers_.on_state(false);
      }
      return;
    }
    fd_ = opened.fd;
    ++counters_.opens;
    error_.reset();
    watch_ = std::make_unique<FdWatch>(loop_, fd_);
    watch_->on_readable([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->read();
      }
    });
    if (handlers_.on_state) {
      handlers_.on_state(true);
    }
  }

  void try_later() {
    timer_.arm(loop_.now() + reopen_after_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->open();
      }
    });
    reopen_after_ = std::min(reopen_after_ * 2, options_.reopen_after_max);
  }

  void read() {
    std::uint8_t buffer[1024];
    const ssize_t size = ::read(fd_, buffer, sizeof buffer);
    if (size > 0) {
      reopen_after_ = options_.reopen_after_min;  // it works: the next loss is a new one
      counters_.bytes_received += static_cast<std::uint64_t>(size);
      if (handlers_.on_bytes) {
        handlers_.on_bytes(ByteSpan{buffer, static_cast<std::size_t>(size)});
      }
      return;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    // Readable but empty, or an error: unplugged, or the other end of a pseudo-terminal is gone.
    lose(size < 0 ? errno : EIO);
  }

  void request_write() {
    if (is_writing_ || output_.empty()) {
      return;
    }
    is_writing_ = true;
    watch_->on_writable([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->flush();
      }
    });
  }

  void flush() {
    is_writing_ = false;
    if (fd_ < 0 || output_.empty()) {
      return;
    }
    const ssize_t size = ::write(fd_, output_.data(), output_.size());
    if (size > 0) {
      counters_.bytes_sent += static_cast<std::uint64_t>(size);
      output_.erase(output_.begin(), output_.begin() + size);
    } else if (size < 0 && errno != EAGAIN && errno != EINTR) {
      lose(errno);
      return;
    }
    request_write();
  }

  void lose(int code) {
    ++counters_.losses;
    error_ = SysError{code, "use " + options_.path, advice_for(code == EIO ? ENODEV : code)};
    counters_.bytes_dropped += output_.size();
    close();
    try_later();
    if (handlers_.on_state) {
      handlers_.on_state(false);
    }
  }

  void close() {
    watch_.reset();
    is_writing_ = false;
    output_.clear();
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

  Loop& loop_;
  const SerialOptions options_;
  SerialHandlers handlers_;
  Duration reopen_after_;
  Timer timer_;
  std::unique_ptr<FdWatch> watch_;
  int fd_ = -1;
  bool is_writing_ = false;
  bool is_stopped_ = false;
  std::vector<std::uint8_t> output_;
  std::optional<SysError> error_;
  SerialCounters counters_;
};

SerialPort::SerialPort(Loop& loop, SerialOptions options, SerialHandlers handlers)
    : state_{std::make_shared<State>(loop, std::move(options), std::move(handlers))} {
  state_->start();
}
SerialPort::~SerialPort() {
  state_->stop();
}
bool SerialPort::write(ByteSpan bytes) {
  return state_->write(bytes);
}
void SerialPort::discard_output() {
  state_->discard_output();
}
bool SerialPort::is_open() const {
  return state_->is_open();
}
std::optional<SysError> SerialPort::last_error() const {
  return state_->last_error();
}
const SerialCounters& SerialPort::counters() const {
  return state_->counters();
}

}  // namespace amphora::runtime
