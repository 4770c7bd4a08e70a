#include "exchange/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/unreadable.h"

namespace easgd {
namespace {

using Mail = Mailbox::State;

class FreeOrder final : public OrderPolicy {
 public:
  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    for (std::size_t k = 0; k < mailboxes.size(); ++k) {
      const std::size_t worker = (start_ + k) % mailboxes.size();
      if (mailboxes[worker] == Mail::posted) {
        round.push_back(int(worker));
        start_ = worker + 1;
        return;
      }
    }
  }

  void describe(State& state) override { state.counter("start", start_); }

 private:
  std::uint64_t start_ = 0;
};

class RoundRobinOrder final : public OrderPolicy {
 public:
  explicit RoundRobinOrder(std::uint64_t visits) : visits_(visits) {}

  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    for (std::size_t k = 0; k < mailboxes.size(); ++k) {
      const std::size_t worker = turn_ % mailboxes.size();
      if (mailboxes[worker] == Mail::posted) {
        round.push_back(int(worker));
        if (++visit_ == visits_) pass_turn();
        return;
      }
      if (mailboxes[worker] != Mail::left) return;
      pass_turn();
    }
  }

  void describe(State& state) override {
    state.counter("turn", turn_);
    state.counter("visit", visit_);
  }

 private:
  void pass_turn() {
    ++turn_;
    visit_ = 0;
  }

  std::uint64_t visits_, visit_ = 0, turn_ = 0;
};

class SynchronousOrder final : public OrderPolicy {
 public:
  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    for (std::size_t worker = 0; worker < mailboxes.size(); ++worker) {
      if (mailboxes[worker] == Mail::left) continue;
      if (mailboxes[worker] != Mail::posted) {
        round.clear();
        return;
      }
      round.push_back(int(worker));
    }
  }

  bool all_or_none() const override { return true; }
};

class ReplayOrder final : public OrderPolicy {
 public:
  ReplayOrder(Recording recording, const std::atomic<bool>& ending)
      : recording_(std::move(recording)), ending_(ending) {}

  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    if (ending_) return free_.next(mailboxes, round);
    if (done_ == recording_.letters.size()) return expect_no_more(mailboxes);
    const int worker = recording_.letters[done_];
    if (mailboxes[std::size_t(worker)] == Mail::left) {
      throw DataError(fmt::format(
          "center.replay: letter {} is worker {}'s, which has ended; was it another configuration?",
          done_, worker));
    }
    if (mailboxes[std::size_t(worker)] != Mail::posted) return;
    round.push_back(worker);
    ++done_;
  }

  void describe(State& state) override {
    state.counter("done", done_);
    free_.describe(state);
  }

 private:
  void expect_no_more(std::span<const Mail> mailboxes) const {
    if (std::ranges::count(mailboxes, Mail::posted) == 0) return;
    throw DataError(fmt::format(
        "center.replay: the recording ends after {} letters, but there are more; was it another "
        "configuration?",
        done_));
  }

  Recording recording_;
  const std::atomic<bool>& ending_;
  FreeOrder free_;
  std::uint64_t done_ = 0;
};

constexpr std::array<char, 16> kMagic = {"easgd order 2\n\0"};
constexpr std::uint16_t kTail = 0xffff;

}  // namespace

std::unique_ptr<OrderPolicy> free_order() {
  return std::make_unique<FreeOrder>();
}
std::unique_ptr<OrderPolicy> round_robin_order() {
  return std::make_unique<RoundRobinOrder>(1);
}
std::unique_ptr<OrderPolicy> round_robin_pairs() {
  return std::make_unique<RoundRobinOrder>(2);
}
std::unique_ptr<OrderPolicy> synchronous_order() {
  return std::make_unique<SynchronousOrder>();
}
std::unique_ptr<OrderPolicy> replay_order(Recording recording, const std::atomic<bool>& ending) {
  return std::make_unique<ReplayOrder>(std::move(recording), ending);
}

Recording Recording::read(const std::filesystem::path& path, std::size_t workers) {
  if (const std::string why = why_unreadable(path); !why.empty()) {
    throw DataError(fmt::format("{}: {}; expected an order.bin", path.string(), why));
  }
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw DataError(path.string() + ": is no regular file; expected an order.bin");
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> magic{};
  std::uint32_t recorded = 0;
  file.read(magic.data(), magic.size());
  file.read(reinterpret_cast<char*>(&recorded), sizeof recorded);
  if (!file || magic != kMagic) throw DataError(path.string() + ": is not an order.bin of easgd");
  if (recorded != workers) {
    throw DataError(
        fmt::format("{}: is of {} workers; this run has {}", path.string(), recorded, workers));
  }
  Recording result;
  std::uint32_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof length);
  if (file && length < size) {
    result.config.resize(length);
    file.read(result.config.data(), std::streamsize(length));
  } else {
    file.setstate(std::ios::failbit);
  }
  std::uint16_t letter = 0;
  while (file.read(reinterpret_cast<char*>(&letter), sizeof letter) && letter != kTail) {
    if (letter >= workers) {
      throw DataError(fmt::format("{}: letter {}: expected a worker below {}, found {}",
                                  path.string(), result.letters.size(), workers, letter));
    }
    result.letters.push_back(letter);
  }
  result.steps.resize(workers);
  file.read(reinterpret_cast<char*>(result.steps.data()),
            std::streamsize(workers * sizeof(std::uint64_t)));
  if (!file || file.peek() != std::ifstream::traits_type::eof()) {
    throw DataError(path.string() + ": is cut short or damaged");
  }
  return result;
}

void Recording::check_repeats(const std::string& here) const {
  std::istringstream a(config), b(here);
  for (std::string was, is, table; std::getline(a, was) && std::getline(b, is);) {
    if (was != is) {
      throw KeyError("center.replay",
                     fmt::format("the recorded run had \"{}\", this one has \"{}\" in {}; a "
                                 "replay repeats a run from its own config.toml",
                                 was, is, table.empty() ? "the top table" : table));
    }
    if (is.starts_with('[')) table = is;
  }
  if (config.size() != here.size()) {
    throw KeyError("center.replay", "the recorded run had other keys than this one");
  }
}

void Recording::write(std::ostream& file, std::size_t workers) const {
  const auto put = [&file](const void* data, std::size_t bytes) {
    file.write(static_cast<const char*>(data), std::streamsize(bytes));
  };
  const auto count = std::uint32_t(workers), length = std::uint32_t(config.size());
  put(kMagic.data(), kMagic.size());
  put(&count, sizeof count);
  put(&length, sizeof length);
  put(config.data(), config.size());
  put(letters.data(), letters.size() * sizeof letters[0]);
  put(&kTail, sizeof kTail);
  put(steps.data(), steps.size() * sizeof steps[0]);
}

}  // namespace easgd
